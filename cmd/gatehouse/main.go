// Command gatehouse is an identity server and login API in one binary. This package owns the command line, the configuration (file,
// environment, flags) and the wiring of rooms into a running server. It does not own any rule: everything a request may do stands in the
// rooms below.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the release build; else the build information is shown.
var version = ""

type cli struct {
	Serve             serveCmd             `cmd:"" help:"Run the server."`
	Apply             applyCmd             `cmd:"" help:"Make tenants and clients in the store agree with the configuration."`
	Keys              keysCmd              `cmd:"" help:"Signing keys and ring keys: list, rotate, withdraw, rewrap."`
	InternalKey       internalKeyCmd       `cmd:"" name:"internal-key" help:"Keys of your own services for the /internal endpoints: create, list, revoke."`
	ServiceToken      serviceTokenCmd      `cmd:"" name:"service-token" help:"Tokens by which services trust each other: create, list, revoke."`
	JWKToPEM          jwkToPEMCmd          `cmd:"" name:"jwk-to-pem" help:"Print a public key of a JWK or JWKS as PEM."`
	Users             usersCmd             `cmd:"" help:"Users: list, show, disable, enable, delete, export, import."`
	Sessions          sessionsCmd          `cmd:"" help:"Sessions: list, revoke."`
	Why               whyCmd               `cmd:"" help:"Say in plain words why a session was lost or a request refused."`
	Version           versionCmd           `cmd:"" help:"Print the version."`
	Manual            manualCmd            `cmd:"" help:"Print the manual of every setting."`
	RegistrationToken registrationTokenCmd `cmd:"" name:"registration-token" help:"Initial access tokens of dynamic client registration: create, list, revoke."`
}

// world is what a command may touch outside its arguments, so that tests can run one in their own process.
type world struct {
	Stdout, Stderr io.Writer
	Environ        []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], world{Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()})
	stop()
	os.Exit(code)
}

// run parses and runs one command and gives the exit code: 0 fine, 1 failed, 2 wrong arguments or configuration.
func run(ctx context.Context, args []string, w world) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("gatehouse"), kong.Description("Identity server and login API in one binary."),
		kong.Writers(w.Stdout, w.Stderr), kong.Exit(func(code int) { exited = code }), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(w))
	if err != nil {
		panic(err) // the structs above are wrong
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		_, _ = fmt.Fprintf(w.Stderr, "gatehouse: %s\n", err)
		return 2
	}
	if err := parsed.Run(); err != nil {
		var code exitCode
		if errors.As(err, &code) {
			return int(code)
		}
		_, _ = fmt.Fprintf(w.Stderr, "gatehouse: %s\n", err)
		var faults ConfigError
		if errors.As(err, &faults) {
			return 2
		}
		return 1
	}
	return 0
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(w world) error {
	_, err := fmt.Fprintf(w.Stdout, "gatehouse %s\n", versionText())
	return err
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

type manualCmd struct{}

// Run prints the manual.
func (manualCmd) Run(w world) error { return writeManual(w.Stdout) }
