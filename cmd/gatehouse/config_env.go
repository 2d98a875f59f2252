package main

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const envPrefix = "GATEHOUSE_"

// readEnv gives the layer of GATEHOUSE_ variables: the path joined by "__", lists as JSON. An empty variable counts as absent, because
// compose files set many such. Kubernetes itself sets GATEHOUSE_SERVICE_… and GATEHOUSE_PORT… beside a service called gatehouse, and the
// tests use GATEHOUSE_TEST_…; these are not ours to refuse.
func readEnv(environ []string, faults *faultList) layer {
	out := layer{values: map[string]any{}, places: map[string]string{}}
	environ = slices.Clone(environ)
	slices.Sort(environ)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		key, ok := strings.CutPrefix(name, envPrefix)
		if !ok || value == "" || foreignEnv(key) {
			continue
		}
		keys := strings.Split(strings.ToLower(key), "__")
		path := strings.Join(keys, ".")
		kind, known := fieldAt(reflect.TypeFor[Config](), keys)
		if !known {
			faults.list = append(faults.list, configFault{Place: name, Path: path, Message: "is not a setting"})
			continue
		}
		out.places[path] = name
		r := &yamlReader{name: name, oneOf: true, places: out.places, faults: faults}
		put(out.values, keys, envValue(r, kind, path, value))
	}
	return out
}

func foreignEnv(key string) bool {
	for _, p := range []string{"SERVICE_", "PORT_", "TEST_"} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return key == "PORT"
}

// envValue gives value the type its setting wants, where that can be seen; else it stays text, and the decoder refuses it.
func envValue(r *yamlReader, t reflect.Type, path, value string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map, t.Kind() == reflect.Struct && !isLeaf(t):
		v, _ := r.document(value, path)
		return v
	case t.Kind() == reflect.Bool:
		if b, err := strconv.ParseBool(value); err == nil {
			return b
		}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		if n, err := strconv.Atoi(value); err == nil {
			return n
		}
	case t.Kind() == reflect.Float64:
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			return n
		}
	}
	return value
}

func put(m map[string]any, keys []string, v any) {
	for _, k := range keys[:len(keys)-1] {
		next, ok := m[k].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[k] = next
		}
		m = next
	}
	m[keys[len(keys)-1]] = v
}
