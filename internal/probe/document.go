package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document is what the probe reads of an OpenAPI document.
type document struct {
	Paths      map[string]map[string]json.RawMessage
	Security   []map[string][]string
	Components struct{ Schemas map[string]schema }
}

// operation is one operation of the document, its references resolved.
type operation struct {
	ID         string `json:"operationId"`
	Parameters []parameter
	Body       struct {
		Required bool
		Content  map[string]struct{ Schema schema }
	} `json:"requestBody"`
	Security  *[]map[string][]string
	Responses map[string]json.RawMessage

	method, path string
	json         *schema // of the body
	files        []string
	public       bool
}

type parameter struct {
	Name, In string
	Required bool
	Schema   schema
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       any    // a name or a list of them
	Format     string
	Pattern    string
	Enum       []any
	Examples   []any
	Default    any
	MinLength  int
	MaxLength  *int
	Minimum    *float64
	Properties map[string]schema
	Required   []string
	Items      *schema
}

// is reports whether values may be of the type.
func (s schema) is(name string) bool {
	types, many := s.Type.([]any)
	return s.Type == name || many && slices.Contains(types, any(name))
}

var methods = []string{"get", "post", "put", "patch", "delete"}

// operations are all operations of an OpenAPI document, by path and method.
func operations(text []byte) ([]operation, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	var all []operation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range methods {
			raw, ok := d.Paths[path][method]
			if !ok {
				continue
			}
			o := operation{method: strings.ToUpper(method), path: path}
			if err := json.Unmarshal(raw, &o); err != nil {
				return nil, fmt.Errorf("read the OpenAPI document: %s %s: %w", o.method, path, err)
			}
			if o.ID == "" {
				o.ID = o.method + " " + path
			}
			d.complete(&o)
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("read the OpenAPI document: it has no operations")
	}
	return all, nil
}

func (d document) complete(o *operation) {
	security := d.Security
	if o.Security != nil {
		security = *o.Security
	}
	o.public = len(security) == 0
	for i, p := range o.Parameters {
		o.Parameters[i].Schema = d.resolve(p.Schema, 0)
	}
	for _, kind := range slices.Sorted(maps.Keys(o.Body.Content)) {
		if kind != "application/json" {
			o.files = append(o.files, kind)
			continue
		}
		body := d.resolve(o.Body.Content[kind].Schema, 0)
		o.json = &body
	}
}

// resolve follows references; a document that nests deeper than the bound nests
// itself.
func (d document) resolve(s schema, depth int) schema {
	if depth > 10 {
		return schema{}
	}
	if s.Ref != "" {
		return d.resolve(d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], depth+1)
	}
	properties := make(map[string]schema, len(s.Properties))
	for name, member := range s.Properties {
		properties[name] = d.resolve(member, depth+1)
	}
	s.Properties = properties
	if s.Items != nil {
		items := d.resolve(*s.Items, depth+1)
		s.Items = &items
	}
	return s
}

// takes reports whether the operation has a header of that name.
func (o operation) takes(header string) bool {
	return slices.ContainsFunc(o.Parameters, func(p parameter) bool { return p.In == "header" && strings.EqualFold(p.Name, header) })
}

// asks reports whether the operation has a query parameter of that name.
func (o operation) asks(name string) bool {
	return slices.ContainsFunc(o.Parameters, func(p parameter) bool { return p.In == "query" && p.Name == name })
}

func (o operation) answers(status string) bool {
	_, ok := o.Responses[status]
	return ok
}
