package strictjson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"unicode"
)

// keys is the set of names of one object: a short list while it is short, then a map, so that an object of many names costs no square.
type keys struct {
	few  [fewKeys][]byte // on the stack
	n    int
	many map[string]struct{}
}

const fewKeys = 24

// add reports whether key is new.
func (k *keys) add(key []byte) bool {
	if k.many != nil {
		n := len(k.many)
		k.many[string(key)] = struct{}{}
		return len(k.many) > n
	}
	for _, old := range k.few[:k.n] {
		if bytes.Equal(old, key) {
			return false
		}
	}
	if k.n < fewKeys {
		k.few[k.n] = key
		k.n++
		return true
	}
	k.many = make(map[string]struct{}, 2*fewKeys)
	for _, old := range k.few {
		k.many[string(old)] = struct{}{}
	}
	k.many[string(key)] = struct{}{}
	return true
}

// fieldSet is what encoding/json would match names of a struct against.
type fieldSet struct {
	exact  map[string]reflect.Type
	folded map[string]string // folded name → the true one
}

var (
	shapes       sync.Map // reflect.Type → *fieldSet
	jsonDecoder  = reflect.TypeFor[json.Unmarshaler]()
	plainDecoder = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// shape gives the fields of a struct type, or the element type of a map, slice or array. Types that decode themselves have neither.
func shape(t reflect.Type) (*fieldSet, reflect.Type) {
	for t != nil && t.Kind() == reflect.Pointer {
		if ownDecoder(t) {
			return nil, nil
		}
		t = t.Elem()
	}
	if t == nil || ownDecoder(t) || ownDecoder(reflect.PointerTo(t)) {
		return nil, nil
	}
	switch t.Kind() {
	case reflect.Struct:
		if known, ok := shapes.Load(t); ok {
			return known.(*fieldSet), nil
		}
		f := &fieldSet{exact: map[string]reflect.Type{}, folded: map[string]string{}}
		f.collect(t)
		shapes.Store(t, f)
		return f, nil
	case reflect.Map, reflect.Slice, reflect.Array:
		return nil, t.Elem()
	}
	return nil, nil
}

func ownDecoder(t reflect.Type) bool { return t.Implements(jsonDecoder) || t.Implements(plainDecoder) }

func (f *fieldSet) collect(t reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		tag := field.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		if name == "" && field.Anonymous {
			if inner := deref(field.Type); inner.Kind() == reflect.Struct {
				f.collect(inner)
				continue
			}
		}
		if !field.IsExported() {
			continue
		}
		if name == "" {
			name = field.Name
		}
		f.exact[name], f.folded[fold(name)] = field.Type, name
	}
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// fold maps names that encoding/json takes for one another to one text: the smallest rune of each simple-folding orbit (so that the
// Kelvin sign counts as k, as it does there).
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
