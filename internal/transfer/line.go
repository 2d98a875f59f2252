package transfer

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Bounds of a line's fields.
const (
	maxName     = 128
	maxUsername = 64
	maxData     = 16 << 10
	maxRoles    = 64
	maxLinks    = 32
	maxIssuer   = 512
	maxSubject  = 255
)

var (
	formID     = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)
	formLocale = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)
)

// Rules are what a line is judged by.
type Rules struct {
	Tenant *tenant.Tenant
	Client func(id string) *tenant.Client // nil for an unknown one
	Pepper PepperName
	At     time.Time // the tenant's clock: when users come to be whose line does not say
}

// PepperName names a pepper key so that another ring's key of the same number is told from it; "" for a key that is not there.
type PepperName func(id uint32) string

// NamePeppers names the pepper keys of a ring: number and a value that only the key gives.
func NamePeppers(ring *secret.Ring) PepperName {
	return func(id uint32) string {
		sum, err := ring.PepperWith(id, "name of a pepper key", nil)
		if err != nil {
			return ""
		}
		return strconv.FormatUint(uint64(id), 10) + "-" + hex.EncodeToString(sum[:8])
	}
}

// Problem is why a line was not imported. It names the field and never repeats what the line held.
type Problem struct {
	Line    int64  `json:"line"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// String is the report for people.
func (p Problem) String() string {
	if p.Field == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Message)
	}
	return fmt.Sprintf("line %d: %s: %s", p.Line, p.Field, p.Message)
}

type bad struct{ field, message string }

func (b bad) Error() string { return b.field + ": " + b.message }

// parse reads one line.
func parse(raw []byte) (Person, error) {
	var p Person
	if err := strictjson.Check(raw, strictjson.Limits{Bytes: maxLine}); err != nil {
		return p, bad{"", "is not one strict JSON object"}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields() // a misspelt password_hash must not become a user without a password
	err := dec.Decode(&p)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return p, nil
	case errors.As(err, &wrong):
		return p, bad{wrong.Field, "has the wrong type"}
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return p, bad{"", "has a field that is not known"}
	}
	return p, bad{"", "has a field of the wrong form"}
}

// entry judges a person and makes the rows.
func (r *Rules) entry(p *Person) (Entry, error) {
	e := Entry{Named: p.ID != ""}
	created := r.At
	if p.CreatedAt != nil {
		created = p.CreatedAt.UTC().Truncate(time.Microsecond)
		if created.Year() < 1970 || created.After(r.At.Add(24*time.Hour)) {
			return e, bad{"created_at", "is not between 1970 and now"}
		}
	}
	if p.ID == "" {
		p.ID = secret.NewID(created)
	}
	e.User = user.User{
		TenantID: r.Tenant.ID, ID: p.ID, Status: user.Active, Epoch: 1, Name: norm.NFC.String(strings.TrimSpace(p.Name)), Locale: p.Locale,
		Data: p.Data, CreatedAt: created, UpdatedAt: r.At, Version: 1,
	}
	if p.Status == string(user.Disabled) {
		e.User.Status = user.Disabled
	}
	for _, check := range []func(*Person, *Entry) error{r.profile, r.identifiers, r.registrations, r.links, r.password} {
		if err := check(p, &e); err != nil {
			return e, err
		}
	}
	return e, nil
}

func (r *Rules) profile(p *Person, e *Entry) error {
	switch {
	case !formID.MatchString(p.ID):
		return bad{"id", "must be 1 to 128 of A-Z a-z 0-9 . _ ~ -"}
	case p.Status != "" && p.Status != string(user.Active) && p.Status != string(user.Disabled):
		return bad{"status", "must be active or disabled"}
	case utf8.RuneCountInString(e.User.Name) > maxName || strings.ContainsFunc(e.User.Name, unicode.IsControl):
		return bad{"name", "must be one line of at most 128 characters"}
	case p.Locale != "" && !formLocale.MatchString(p.Locale):
		return bad{"locale", "must be a language tag"}
	}
	var err error
	e.User.Data, err = object("data", p.Data)
	return err
}

// object is free JSON data; null is none.
func object(field string, data json.RawMessage) (json.RawMessage, error) {
	switch {
	case bytes.Equal(data, []byte("null")):
		return nil, nil
	case len(data) > 0 && (data[0] != '{' || len(data) > maxData):
		return nil, bad{field, "must be a JSON object of at most 16 KiB"}
	}
	return data, nil
}

func (r *Rules) identifiers(p *Person, e *Entry) error {
	if p.Email == "" && p.Username == "" {
		return bad{"email", "is missing, and so is username"}
	}
	if p.Email != "" {
		email, err := user.NormaliseEmail(p.Email)
		if err != nil {
			return bad{"email", "must be an e-mail address"}
		}
		i := user.Identifier{Kind: user.Email, Value: email, Typed: p.Email, Primary: true}
		if p.Verified {
			i.VerifiedAt, i.VerifiedHow = r.At, "import"
		}
		e.User.Identifiers = append(e.User.Identifiers, i)
	}
	if p.Username != "" {
		name := norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(p.Username))))
		if name == "" || utf8.RuneCountInString(name) > maxUsername || strings.ContainsFunc(name, notInUsername) {
			return bad{"username", "must be 1 to 64 characters without spaces and @"}
		}
		e.User.Identifiers = append(e.User.Identifiers, user.Identifier{Kind: user.Username, Value: name, Typed: p.Username, Primary: true})
	}
	return nil
}

// notInUsername: with "@" a username could pass for somebody's address.
func notInUsername(r rune) bool {
	return r == '@' || unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

func (r *Rules) registrations(p *Person, e *Entry) error {
	for id, roles := range p.Roles {
		c := r.Client(id)
		if c == nil {
			return bad{"roles", "names a client that the tenant does not have"}
		}
		for _, role := range roles {
			if len(roles) > maxRoles || len(c.Settings.Roles) > 0 && !slices.Contains(c.Settings.Roles, role) {
				return bad{"roles", "names a role that its client does not have"}
			}
		}
		data, err := object("client_data", p.ClientData[id])
		if err != nil {
			return err
		}
		e.Registrations = append(e.Registrations, user.Registration{ClientID: id, Roles: roles, Data: data, CreatedAt: e.User.CreatedAt})
	}
	for id := range p.ClientData {
		if _, ok := p.Roles[id]; !ok {
			return bad{"client_data", "names a client that roles does not name"}
		}
	}
	slices.SortFunc(e.Registrations, func(a, b user.Registration) int { return strings.Compare(a.ClientID, b.ClientID) })
	return nil
}

// links: whoever proves to be the subject at the issuer is this person, so that a link belongs to one person only; the store sees to it.
func (r *Rules) links(p *Person, e *Entry) error {
	if len(p.Links) > maxLinks {
		return bad{"links", "must be at most 32"}
	}
	for _, l := range p.Links {
		if !short(l.Issuer, maxIssuer) || !short(l.Subject, maxSubject) {
			return bad{"links", "must each have an issuer of at most 512 bytes and a subject of at most 255"}
		}
		if slices.ContainsFunc(e.Links, func(o Link) bool { return o.Issuer == l.Issuer && o.Subject == l.Subject }) {
			return bad{"links", "names one identity twice"}
		}
		var err error
		if l.Data, err = object("links", l.Data); err != nil {
			return err
		}
		at := e.User.CreatedAt
		if l.CreatedAt != nil {
			at = l.CreatedAt.UTC().Truncate(time.Microsecond)
		}
		if at.Year() < 1970 || at.After(r.At.Add(24*time.Hour)) {
			return bad{"links", "were not made between 1970 and now"}
		}
		l.CreatedAt = &at
		e.Links = append(e.Links, l)
	}
	return nil
}

func short(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

func (r *Rules) password(p *Person, e *Entry) error {
	if p.PasswordHash == "" {
		return nil
	}
	stored, err := credential.CheckImported(p.PasswordHash)
	if err != nil {
		return bad{"password_hash", fieldMessage(err)}
	}
	var pepper uint64
	if p.Pepper != "" {
		number, _, _ := strings.Cut(p.Pepper, "-")
		if pepper, err = strconv.ParseUint(number, 10, 32); err != nil || pepper == 0 || r.Pepper(uint32(pepper)) != p.Pepper {
			return bad{"pepper", "names a key that this ring does not have: the hash could never be verified"}
		}
	}
	e.Password = &credential.Password{
		ID: secret.NewID(r.At), UserID: e.User.ID, PHC: stored, PepperID: uint32(pepper), CreatedAt: e.User.CreatedAt, UpdatedAt: r.At,
	}
	return nil
}

func fieldMessage(err error) string {
	if f := fault.From(err); len(f.Fields) > 0 {
		return f.Fields[0].Message
	}
	return "is not acceptable"
}
