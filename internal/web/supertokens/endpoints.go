package supertokens

import (
	"context"
	"fmt"
	"slices"
)

// handler answers a call. The value is what is sent as JSON: a reply as a rule. Errors are *fault.Error; their safe text is sent as it is.
type handler func(ctx context.Context, r *request) (any, error)

// scope says where a call may be made.
type scope uint8

const (
	onTenant scope = iota // on any tenant of the app; the path may name one
	onApp                 // on the app: from version 5.0 only the tenant "public" takes it
)

// endpoint is one line of the dialect's table.
type endpoint struct {
	method string
	path   string // below app and tenant, in lower case, without a slash at the end
	scope  scope
	open   bool // needs no key
	loose  bool // an unknown tenant is the handler's to answer
	handle handler
}

// endpoints is the whole table.
func (f *Face) endpoints() []endpoint {
	return slices.Concat(f.generalEndpoints(), f.sessionEndpoints(), f.jwtEndpoints(), f.userEndpoints(), f.tenantEndpoints())
}

func tabulate(all []endpoint) (map[string]map[string]*endpoint, error) {
	table := map[string]map[string]*endpoint{}
	for i := range all {
		e := &all[i]
		if table[e.path] == nil {
			table[e.path] = map[string]*endpoint{}
		}
		if table[e.path][e.method] != nil || e.handle == nil {
			return nil, fmt.Errorf("supertokens: %s %s stands twice in the table, or has no handler", e.method, e.path)
		}
		table[e.path][e.method] = e
	}
	return table, nil
}

// reply is an answer; every one has "status".
type reply map[string]any

// ok is the answer of a call that did what was asked; more gives further fields.
func ok(more reply) reply {
	out := reply{"status": "OK"}
	for name, value := range more {
		out[name] = value
	}
	return out
}

// status is an answer of one word.
func status(word string) reply { return reply{"status": word} }

// statusBecause is an answer of one word with a message for the log of whoever asked. Some libraries panic without one.
func statusBecause(word, message string) reply { return reply{"status": word, "message": message} }
