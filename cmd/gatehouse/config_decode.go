package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// setting is one field of a configuration struct.
type setting struct {
	Name  string
	Doc   string
	Field reflect.StructField
	Index []int
}

// settings lists the fields of a configuration struct in order, embedded ones in line.
func settings(t reflect.Type) []setting {
	var out []setting
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || f.Tag.Get("config") == "-" {
			continue
		}
		out = append(out, setting{Name: name, Doc: f.Tag.Get("doc"), Field: f, Index: f.Index})
	}
	return out
}

// isLeaf reports whether a struct type is written as one text.
func isLeaf(t reflect.Type) bool {
	return t == reflect.TypeFor[Ref]() || t == reflect.TypeFor[SecretURL]()
}

// fieldAt finds the type of the setting at keys; lists end a path.
func fieldAt(t reflect.Type, keys []string) (reflect.Type, bool) {
	for _, key := range keys {
		if t.Kind() != reflect.Struct || isLeaf(t) {
			return nil, false
		}
		all := settings(t)
		i := slices.IndexFunc(all, func(s setting) bool { return s.Name == key })
		if i < 0 {
			return nil, false
		}
		t = all[i].Field.Type
	}
	return t, true
}

// decode fills into from plain values. It is strict: an unknown key or a wrong type is a fault, and nothing is converted.
func decode(v any, into reflect.Value, path string, faults *faultList) {
	if v == nil {
		return
	}
	switch t := into.Type(); {
	case t.Kind() == reflect.Pointer:
		p := reflect.New(t.Elem())
		decode(v, p.Elem(), path, faults)
		into.Set(p)
	case t == reflect.TypeFor[json.RawMessage]():
		decodeJSON(v, into, path, faults)
	case isLeaf(t):
		decode(v, into.FieldByName("Text"), path, faults)
	case t.Kind() == reflect.Struct:
		decodeStruct(v, into, path, faults)
	case t.Kind() == reflect.Slice:
		decodeList(v, into, path, faults)
	case t.Kind() == reflect.Map:
		decodeMap(v, into, path, faults)
	default:
		decodeScalar(v, into, path, faults)
	}
}

// decodeJSON keeps a document of somebody else's making (a JWK set) as JSON.
func decodeJSON(v any, into reflect.Value, path string, faults *faultList) {
	raw, err := json.Marshal(v)
	if _, ok := v.(map[string]any); !ok || err != nil {
		faults.add(path, "must be a map")
		return
	}
	into.SetBytes(raw)
}

func decodeStruct(v any, into reflect.Value, path string, faults *faultList) {
	m, ok := v.(map[string]any)
	if !ok {
		faults.add(path, "must be a map of settings")
		return
	}
	known := map[string]bool{}
	for _, s := range settings(into.Type()) {
		known[s.Name] = true
		decode(m[s.Name], into.FieldByIndex(s.Index), join(path, s.Name), faults)
	}
	var unknown []string
	for key := range m {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		faults.add(join(path, key), "is not a setting")
	}
}

func decodeList(v any, into reflect.Value, path string, faults *faultList) {
	list, ok := v.([]any)
	if !ok {
		faults.add(path, "must be a list")
		return
	}
	out := reflect.MakeSlice(into.Type(), len(list), len(list))
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if e == nil {
			faults.add(at, "must not be empty")
		}
		decode(e, out.Index(i), at, faults)
	}
	into.Set(out)
}

// decodeMap fills a map whose keys the operator chooses.
func decodeMap(v any, into reflect.Value, path string, faults *faultList) {
	m, ok := v.(map[string]any)
	if !ok {
		faults.add(path, "must be a map")
		return
	}
	out := reflect.MakeMapWithSize(into.Type(), len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		value := reflect.New(into.Type().Elem()).Elem()
		if m[key] == nil {
			faults.add(join(path, key), "must not be empty")
		}
		decode(m[key], value, join(path, key), faults)
		out.SetMapIndex(reflect.ValueOf(key), value)
	}
	into.Set(out)
}

func decodeScalar(v any, into reflect.Value, path string, faults *faultList) {
	switch into.Kind() {
	case reflect.String:
		if s, ok := v.(string); ok {
			into.SetString(s)
			return
		}
		faults.add(path, "must be text; write it in quotes")
	case reflect.Bool:
		if b, ok := v.(bool); ok {
			into.SetBool(b)
			return
		}
		faults.add(path, "must be true or false")
	case reflect.Int, reflect.Int64:
		if n, ok := v.(int); ok && n >= math.MinInt32 && int64(n) <= math.MaxInt32*int64(1000) {
			into.SetInt(int64(n))
			return
		}
		faults.add(path, "must be a whole number")
	case reflect.Float64:
		switch n := v.(type) {
		case float64:
			into.SetFloat(n)
		case int:
			into.SetFloat(float64(n))
		default:
			faults.add(path, "must be a number")
		}
	default:
		panic("a setting of a kind that the decoder does not know: " + path)
	}
}
