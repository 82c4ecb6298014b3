package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// member is what the document says of a member of a body, or of a parameter.
type member struct {
	Type                 any
	Format, Pattern      string
	Enum                 []any
	Examples             []any
	Ref                  string `json:"$ref"`
	Items                *member
	Properties           map[string]member
	Required             []string
	MinLength, MaxLength *int
	MinItems, MaxItems   *int
	Minimum, Maximum     *float64
	MultipleOf           *float64
}

func (m member) is(name string) bool {
	switch t := m.Type.(type) {
	case string:
		return t == name
	case []any:
		return slices.Contains(t, any(name))
	}
	return false
}

// good is a value that the document allows.
func (m member) good() any {
	switch {
	case len(m.Enum) > 0:
		return m.Enum[0]
	case m.Items != nil:
		return []any{m.Items.good()}
	case m.is("object"):
		all := object{}
		for _, name := range m.Required {
			all[name] = m.Properties[name].good()
		}
		return all
	case m.Format == "uuid":
		return noSuchRow
	case m.Format == "date":
		return "2030-01-01"
	case m.Format == "date-time":
		return "2030-01-01T12:00:00Z"
	case len(m.Examples) > 0:
		return m.Examples[0]
	}
	return false
}

// tooLong is m's example with more characters than fit, all of them allowed.
func (m member) tooLong(t testing.TB) string {
	t.Helper()
	example := m.good().(string)
	name, rest, _ := strings.Cut(example, "@") // of an address, the part before it
	for len(name) <= *m.MaxLength {
		name += name
		if m.Format == "" && regexp.MustCompile(`^[A-Za-z]{2,3}$`).MatchString(example) {
			name = example + strings.Repeat("-Latn", *m.MaxLength/5+1) // a language tag
		}
	}
	if rest != "" {
		name += "@" + rest
	}
	return name
}

// bad are values that break one limit each.
func (m member) bad(t testing.TB) map[string]any {
	t.Helper()
	bad := map[string]any{"an object": object{}, "a list in a list": [][]int{{1}}}
	if !m.is("null") {
		bad["null"] = nil
	}
	if !m.is("boolean") {
		bad["a boolean"] = true
	}
	if !m.is("string") {
		bad["a text"] = "1"
	}
	if !m.is("number") && !m.is("integer") {
		bad["a number"] = 1
	}
	if m.is("string") {
		bad["NUL"] = "\x00"
		if !m.allows("") {
			bad["nothing"] = ""
		}
	}
	if len(m.Enum) > 0 {
		bad["no value of the list"] = "NO_SUCH"
		bad["another case"] = swapCase(m.Enum[0].(string))
	}
	if m.Pattern != "" && !m.allows(" \t") {
		bad["blank"] = " \t"
	}
	if m.MaxLength != nil {
		bad["too long"] = m.tooLong(t)
	}
	switch m.Format {
	case "uuid":
		bad["no id"] = noSuchRow[1:]
	case "date":
		bad["no day"] = "2026-02-30"
	case "date-time":
		bad["no time"] = "2026-02-30T12:00:00Z"
	}
	if m.Minimum != nil {
		bad["too small"] = *m.Minimum - 1
	}
	if m.Maximum != nil {
		bad["too large"] = *m.Maximum + 1
	}
	if m.MultipleOf != nil {
		bad["between"] = *m.Minimum + *m.MultipleOf/2
	}
	if m.is("integer") {
		bad["a half"] = *m.Minimum + 0.5
	}
	if m.MinItems != nil {
		bad["no items"] = []any{}
	}
	if m.MaxItems != nil {
		bad["too many items"] = slices.Repeat([]any{m.Items.good()}, *m.MaxItems+1)
	}
	return bad
}

// allows tells whether the document's pattern is one that text is of.
func (m member) allows(text string) bool {
	return m.Pattern != "" && regexp.MustCompile(m.Pattern).MatchString(text)
}

func swapCase(text string) string {
	if lower := strings.ToLower(text); lower != text {
		return lower
	}
	return strings.ToUpper(text)
}

// bounded says whether a value can be of any size.
func (m member) bounded() bool {
	switch {
	case m.is("string"):
		return m.MaxLength != nil || len(m.Enum) > 0 || m.Format != "" || !strings.ContainsAny(m.Pattern, "*+") && m.Pattern != ""
	case m.is("array"):
		return m.MaxItems != nil && m.Items.bounded()
	case m.is("integer"), m.is("number"):
		return m.Minimum != nil && m.Maximum != nil
	case m.is("object"):
		for _, of := range m.Properties {
			if !of.bounded() {
				return false
			}
		}
		return len(m.Properties) > 0
	}
	return m.is("boolean")
}

// bodies returns the members of each operation's JSON body and which are required,
// by "METHOD /path".
func (s *service) bodies(t testing.TB) (members map[string]map[string]member, required map[string][]string) {
	t.Helper()
	type body struct {
		Ref        string `json:"$ref"`
		Properties map[string]member
		Required   []string
	}
	_, text := s.fetch(t, "/openapi.json")
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody *struct {
				Content map[string]struct{ Schema body }
			}
		}
		Components struct{ Schemas map[string]json.RawMessage }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	members, required = map[string]map[string]member{}, map[string][]string{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			if operation.RequestBody == nil {
				continue
			}
			content, ok := operation.RequestBody.Content[jsonType]
			if !ok {
				continue // a file
			}
			of := content.Schema
			if name, ok := strings.CutPrefix(of.Ref, "#/components/schemas/"); ok {
				of = body{}
				require.NoError(t, json.Unmarshal(document.Components.Schemas[name], &of))
			}
			require.NotEmpty(t, of.Properties)
			for _, m := range of.Properties {
				if m.Items != nil && m.Items.Ref != "" {
					require.NoError(t, json.Unmarshal(document.Components.Schemas[strings.TrimPrefix(m.Items.Ref, "#/components/schemas/")], m.Items))
				}
			}
			route := strings.ToUpper(method) + " " + strings.TrimPrefix(path, "/api/v1")
			members[route], required[route] = of.Properties, of.Required
		}
	}
	return members, required
}

// TestEveryLimit breaks each limit that the document sets to a member of a body, one at
// a time, and wants nothing in it without one. What a whole body may not be is for the
// tests of each kind.
func TestEveryLimit(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann := s.newLandlord(t)
	ann.get("/me").ok(http.StatusOK)
	all, required := s.bodies(t)
	require.Greater(t, len(all), 20)
	rows := func() (n int) {
		require.NoError(t, s.Admin.QueryRow(t.Context(), "select count(*) from app.audit_log").Scan(&n))
		return n
	}
	for route, members := range all {
		t.Run(route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			path = inBraces.ReplaceAllString(strings.ReplaceAll(path, "{n}", "1"), noSuchRow)
			c, before := ann.as(t), rows()
			for name, m := range members {
				require.True(t, m.bounded(), "%s: nothing bounds it", name)
				for what, value := range m.bad(t) {
					body := object{}
					for _, other := range required[route] {
						body[other] = members[other].good()
					}
					body[name] = value
					a := c.send(method, path, body)
					require.Equal(t, http.StatusBadRequest, a.status, "%s: %s: %s", name, what, a.text)
					require.Equal(t, "invalid_request", a.body["code"])
					for _, e := range a.body["errors"].([]any) {
						require.Regexp(t, fmt.Sprintf("^#/%s(/|$)", name), e.(object)["pointer"], "%s: %s", name, what)
					}
				}
			}
			require.Equal(t, before, rows(), "something was written")

			// and it was the value that was refused, not the rest
			body := object{}
			for _, other := range required[route] {
				body[other] = members[other].good()
			}
			require.NotEqual(t, http.StatusBadRequest, c.send(method, path, body).status)
		})
	}
}
