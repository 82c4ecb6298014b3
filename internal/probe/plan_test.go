package probe

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The probe can fill in every request of the document that this build serves, and
// has rows for every place that has to name one.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../tests/api/openapi.json")
	require.NoError(t, err)
	all, err := operations(text)
	require.NoError(t, err)
	kinds := []string{"tenantinvites", "supportgrants", "results"} // kept, and found by a search
	for _, o := range all {
		if o.makes() {
			kinds = append(kinds, o.collection())
			require.NotNil(t, itemOf(all, o.collection()).remove, "%s makes what nothing deletes", o.ID)
		}
	}
	for _, o := range all {
		require.Empty(t, o.unfillable(), o.ID)
		for _, p := range o.places() {
			if p.in == "query" || p.secret || p.in == "body" && !slices.Contains(o.json.Required, p.name) {
				continue
			}
			require.True(t, slices.ContainsFunc(kinds, func(kind string) bool { return alike(kind, p.kind) }), "%s: %s is of %s", o.ID, p, p.kind)
		}
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"unitId": "units", "tenancyId": "tenancies", "propertyId": "properties", "resultId": "results"} {
		require.Equal(t, want, kindNamed(name))
	}
	require.True(t, alike("tenantinvites", kindNamed("inviteId")))
	require.False(t, alike("tenants", "tenancies"))
	require.False(t, alike("", "units"))
	item := operation{path: "/api/v1/tenant-invites/{id}/resend"}
	require.Equal(t, "tenantinvites", item.kindInPath("id"))
}

func TestSamples(t *testing.T) {
	t.Parallel()
	s := sampler{marker: "run-a", number: 1}
	for name, c := range map[string]struct {
		schema string
		want   any
	}{
		"name":       {`{"type": "string", "maxLength": 100, "pattern": "^[^\\p{Cc}]*$"}`, "isolation probe run-a 1"},
		"email":      {`{"type": "string"}`, "isolation-probe-run-a-1@example.invalid"},
		"country":    {`{"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["NL"]}`, "NL"},
		"kind":       {`{"type": "string", "enum": ["house", "other"]}`, "house"},
		"startDate":  {`{"type": "string", "format": "date"}`, "2030-01-01"},
		"rating":     {`{"type": ["integer", "null"], "minimum": 1}`, 1.0},
		"lookahead":  {`{"type": "string", "pattern": "^(?=x)", "examples": ["xy"]}`, "xy"}, // Go cannot say
		"oneOfThese": {`{"oneOf": [{"type": "string"}]}`, nil},
		"unitId":     {`{"type": "string", "format": "uuid"}`, nil},
	} {
		var of schema
		require.NoError(t, json.Unmarshal([]byte(c.schema), &of))
		got, ok := s.value(name, of)
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.want != nil, ok, name)
	}
}
