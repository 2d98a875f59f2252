package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"

	"github.com/knadh/koanf/v2"

	"github.com/gatehouse-auth/gatehouse/internal/secretref"
)

// sources are where settings come from, weakest first: the defaults, the file, the environment, the flags.
type sources struct {
	File    string            // path of the YAML file, "" for none
	Environ []string          // as os.Environ gives it
	Flags   map[string]string // path → value of the flags that were given
	Dev     bool
}

// flagNames gives the place of a setting that came from a flag.
var flagNames = map[string]string{"listen.public": "--listen", "listen.admin": "--admin-listen"}

// Read makes layer a koanf provider.
func (l layer) Read() (map[string]any, error) { return l.values, nil }

// ReadBytes is not used: layers are maps already.
func (layer) ReadBytes() ([]byte, error) { return nil, errors.ErrUnsupported }

// loadConfig reads every source, merges them, resolves references and checks the whole. The error is a ConfigError with every fault.
func loadConfig(ctx context.Context, from sources, resolver *secretref.Resolver) (*Config, error) {
	faults := &faultList{places: map[string]string{}}
	layers := []layer{{values: defaultsFor(from)}, readFile(from.File, faults), readEnv(from.Environ, faults), readFlags(from.Flags)}
	cfg, err := decodeLayers(layers, faults)
	if err != nil {
		return nil, err
	}
	resolveSecrets(ctx, reflect.ValueOf(cfg).Elem(), "", &secretReader{resolver: resolver, faults: faults, dev: from.Dev})
	faults.settle()
	check(cfg, from.Dev, faults)
	if err := faults.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// decodeLayers merges the layers, the last winning, and decodes the sum. Lists are replaced whole.
func decodeLayers(layers []layer, faults *faultList) (*Config, error) {
	k := koanf.New(".")
	for _, l := range layers {
		if err := k.Load(l, nil); err != nil {
			return nil, fmt.Errorf("merge configuration: %w", err)
		}
		forget(faults.places, l.places)
		maps.Copy(faults.places, l.places)
	}
	cfg := &Config{}
	decode(k.Raw(), reflect.ValueOf(cfg).Elem(), "", faults)
	return cfg, nil
}

// forget drops the elements of lists that a stronger layer replaces, so that a fault is not reported at the wrong place.
func forget(places, stronger map[string]string) {
	for p := range places {
		for at := parent(p); at != ""; at = parent(at) {
			if _, replaced := stronger[at]; replaced && p[len(at)] == '[' {
				delete(places, p)
			}
		}
	}
}

// defaultsFor lets the admin listener take a free port too when the public one does: tests and second servers ask for no more than that.
func defaultsFor(from sources) map[string]any {
	d := defaults()
	if strings.HasSuffix(from.Flags["listen.public"], ":0") {
		put(d, []string{"listen", "admin"}, "127.0.0.1:0")
	}
	return d
}

func readFile(path string, faults *faultList) layer {
	none := layer{values: map[string]any{}}
	if path == "" {
		return none
	}
	raw, err := os.ReadFile(path) // #nosec G304 -- the operator names the file
	if err != nil {
		faults.list = append(faults.list, configFault{Place: path, Message: "cannot be read: " + err.Error()})
		return none
	}
	return readYAML(path, string(raw), faults)
}

func readFlags(flags map[string]string) layer {
	out := layer{values: map[string]any{}, places: map[string]string{}}
	for path, value := range flags {
		put(out.values, strings.Split(path, "."), value)
		out.places[path] = flagNames[path]
	}
	return out
}
