package view

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// TextField is one field of a form that takes a line of text.
type TextField struct {
	Name, Label, Hint, Error string
	Type                     string // "text" when empty, or "email"
	Value                    string // as it was typed
	Autocomplete             string
	Code                     bool // large letters, for a code that is copied from elsewhere
	Required                 bool
	Max                      int // characters, 0 for no limit of its own
}

func (f TextField) kind() string { return cmp.Or(f.Type, "text") }

func (f TextField) max() string { return strconv.Itoa(f.Max) }

// PasswordField is one password field of a form.
type PasswordField struct {
	Name, Label, Hint, Error string
	Autocomplete             string // "current-password" or "new-password"
	Required                 bool
}

func (f PasswordField) describedBy() string { return describedBy(f.Name, f.Hint, f.Error) }

// Address shows an e-mail address as text; a long one breaks where its parts end.
func Address(email string) templ.Component {
	parts := breaks(email)
	for i := range parts {
		parts[i] = templ.EscapeString(parts[i])
	}
	return templ.Raw(strings.Join(parts, "<wbr>"))
}

// breaks splits an address where a line may end: after @ and before a dot, so that no name in it is torn.
func breaks(address string) []string {
	var out []string
	from := 0
	for i, r := range address {
		switch {
		case r == '@' && i+1 < len(address):
			out, from = append(out, address[from:i+1]), i+1
		case r == '.' && i > from:
			out, from = append(out, address[from:i]), i
		}
	}
	return append(out, address[from:])
}

// describedBy names the elements that say more about a field.
func describedBy(name, hint, wrong string) string {
	var ids []string
	if hint != "" {
		ids = append(ids, name+"-hint")
	}
	if wrong != "" {
		ids = append(ids, name+"-error")
	}
	return strings.Join(ids, " ")
}
