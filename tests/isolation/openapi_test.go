package isolation

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// document is what the tests read of the OpenAPI document.
type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	OperationID string
	Parameters  []parameter
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Security []map[string][]string

	method, path string
	body         *schema
	file         string // the media type of the file that it takes instead
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
	Enum       []any
	Examples   []any
	Properties map[string]schema
	Required   []string
	Items      *schema
}

// is reports whether values may be of the type.
func (s schema) is(name string) bool {
	types, many := s.Type.([]any)
	return s.Type == name || many && slices.Contains(types, any(name))
}

// operations are all operations that the document holds, with references
// resolved in their bodies.
func operations(t testing.TB, text []byte) []operation {
	t.Helper()
	var d document
	require.NoError(t, json.Unmarshal(text, &d))
	var all []operation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			o := d.Paths[path][method]
			o.method, o.path = strings.ToUpper(method), path
			for kind, content := range o.RequestBody.Content {
				if content.Schema.Format == "binary" {
					o.file = max(o.file, kind) // one of them
					continue
				}
				if kind == "multipart/form-data" {
					require.Equal(t, "binary", content.Schema.Properties["file"].Format, o.OperationID) // the same file
					continue
				}
				require.Equal(t, "application/json", kind, "%s: say how to send this", o.OperationID)
				body := d.resolve(t, content.Schema)
				o.body = &body
			}
			all = append(all, o)
		}
	}
	require.NotEmpty(t, all)
	return all
}

func (d document) resolve(t testing.TB, s schema) schema {
	t.Helper()
	if s.Ref != "" {
		found, ok := d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		require.True(t, ok, s.Ref)
		return d.resolve(t, found)
	}
	properties := map[string]schema{}
	for name, property := range s.Properties {
		properties[name] = d.resolve(t, property)
	}
	s.Properties = properties
	if s.Items != nil {
		items := d.resolve(t, *s.Items)
		s.Items = &items
	}
	return s
}

// hole is a place in a request that takes an id.
type hole struct{ in, name string }

var likeID = regexp.MustCompile(`(^id|Id|ID|Ids|IDs|_ids?)$`)

// holes are the places of an operation that take ids. A place whose name sounds
// like one and that takes something else fails the test.
func (o operation) holes(t testing.TB) []hole {
	t.Helper()
	var all []hole
	for _, p := range o.Parameters {
		switch {
		case p.Schema.Format == "uuid":
			all = append(all, hole{p.In, p.Name})
		case p.In == "path" && p.Schema.is("integer"): // counts what is inside a row
		case p.In == "path" && p.Name == "token" && slices.Contains(byInvite, o.OperationID):
		case p.In == "path", likeID.MatchString(p.Name):
			require.Fail(t, "say how to fill this in", "%s: %s parameter %s", o.OperationID, p.In, p.Name)
		}
	}
	if o.body == nil {
		return all
	}
	require.True(t, o.body.is("object"), "%s: say how to fill in its body", o.OperationID)
	for name, member := range o.body.Properties {
		switch {
		case member.Format == "uuid":
			all = append(all, hole{"body", name})
		case member.is("array") && member.Items != nil && len(member.Items.Enum) > 0: // words, not ids
		case member.is("array") && strings.HasPrefix(rowByRow[o.OperationID], name+"."): // TestForeignIDsRowByRow
		case likeID.MatchString(name), member.is("object"), member.is("array"):
			require.Fail(t, "say how to fill this in", "%s: member %s of the body", o.OperationID, name)
		}
	}
	return all
}

// sample is a body with its required members. number tells bodies apart where
// names are unique.
func (o operation) sample(t testing.TB, number int) map[string]any {
	t.Helper()
	return o.body.sample(t, o.OperationID, number)
}

func (s schema) sample(t testing.TB, where string, number int) map[string]any {
	t.Helper()
	body := map[string]any{}
	for _, name := range s.Required {
		member := s.Properties[name]
		switch {
		case member.Format == "uuid": // filled in by send
		case member.Format == "date":
			body[name] = "2031-01-01"
		case member.is("string") && strings.Contains(strings.ToLower(name), "email"):
			body[name] = fmt.Sprintf("sample-%d@example.com", number)
		case len(member.Enum) > 0:
			body[name] = member.Enum[0]
		case member.is("string") && member.Format == "" && len(member.Examples) > 0:
			body[name] = fmt.Sprintf("%v %d", member.Examples[0], number)
		case member.is("array") && member.Items != nil && member.Items.is("object"):
			body[name] = []any{member.Items.sample(t, where, number)}
		case len(member.Examples) > 0:
			body[name] = member.Examples[0]
		default:
			require.Fail(t, "say how to fill this in", "%s: member %s of the body", where, name)
		}
	}
	return body
}
