package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxConfigBytes and maxConfigDepth bound a configuration file.
const (
	maxConfigBytes = 4 << 20
	maxConfigDepth = 32
)

// layer is one source of settings: nested values, and where each stands.
type layer struct {
	values map[string]any
	places map[string]string
}

// yamlReader turns YAML into plain maps, lists and scalars. It is strict: one document, no duplicate keys (the second would win in
// silence), no anchors, aliases or merge keys (a page that means another page), text keys only.
type yamlReader struct {
	name   string // file name for places
	oneOf  bool   // every place is the name itself (an environment variable)
	places map[string]string
	faults *faultList
}

// readYAML reads one document whose top is a map.
func readYAML(name, text string, faults *faultList) layer {
	r := &yamlReader{name: name, places: map[string]string{}, faults: faults}
	out := layer{values: map[string]any{}, places: r.places}
	v, ok := r.document(text, "")
	if !ok || v == nil {
		return out
	}
	m, isMap := v.(map[string]any)
	if !isMap {
		r.fault(1, "", "must be a map of settings")
		return out
	}
	out.values = m
	return out
}

// document reads text as the value of path.
func (r *yamlReader) document(text, path string) (any, bool) {
	if len(text) > maxConfigBytes {
		r.fault(1, path, "is longer than %d bytes", maxConfigBytes)
		return nil, false
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, true
	}
	if err != nil {
		r.syntax(err, path)
		return nil, false
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		r.fault(max(more.Line, 1), path, "must be one document")
		return nil, false
	}
	if len(doc.Content) != 1 {
		return nil, true
	}
	return r.value(doc.Content[0], path, 0), true
}

// syntax reports what the parser said without the text it quotes, which may be a secret.
func (r *yamlReader) syntax(err error, path string) {
	line := 1
	if rest, ok := strings.CutPrefix(err.Error(), "yaml: line "); ok {
		_, _ = fmt.Sscanf(rest, "%d", &line)
	}
	r.fault(line, path, "is not well-formed YAML (indentation, quotes and brackets near this line)")
}

func (r *yamlReader) place(line int) string {
	if r.oneOf {
		return r.name
	}
	return fmt.Sprintf("%s:%d", r.name, line)
}

func (r *yamlReader) fault(line int, path, format string, args ...any) {
	r.faults.list = append(r.faults.list, configFault{Place: r.place(line), Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *yamlReader) value(n *yaml.Node, path string, depth int) any {
	if path != "" {
		r.places[path] = r.place(n.Line)
	}
	switch {
	case depth > maxConfigDepth:
		r.fault(n.Line, path, "is nested too deep")
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.fault(n.Line, path, "anchors and aliases are not supported")
	case n.Kind == yaml.MappingNode:
		return r.mapping(n, path, depth)
	case n.Kind == yaml.SequenceNode:
		out := []any{}
		for i, c := range n.Content {
			out = append(out, r.value(c, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
		return out
	case n.Kind == yaml.ScalarNode:
		return r.scalar(n, path)
	}
	return nil
}

func (r *yamlReader) mapping(n *yaml.Node, path string, depth int) any {
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag != "!!str" || k.Anchor != "" {
			r.fault(k.Line, path, "has a key that is not plain text")
			continue
		}
		if _, twice := out[k.Value]; twice {
			r.fault(k.Line, join(path, k.Value), "is set twice")
			continue
		}
		out[k.Value] = r.value(v, join(path, k.Value), depth+1)
	}
	for key, v := range out {
		if v == nil { // a heading with everything below it commented out: the default stays
			delete(out, key)
		}
	}
	return out
}

func (r *yamlReader) scalar(n *yaml.Node, path string) any {
	var v any
	switch n.Tag {
	case "!!str":
		return n.Value
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		if err := n.Decode(&v); err == nil {
			return v
		}
	}
	r.fault(n.Line, path, "has a type that no setting takes")
	return nil
}
