package view

import (
	"cmp"
	"strconv"
	"strings"
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
