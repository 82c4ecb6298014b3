package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestUnicode sends every kind of script through every field of text.
func TestUnicode(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	texts := map[string]string{
		"emoji with joiners": "👩🏽‍🚀🏳️‍🌈",
		"right to left":      "שלום \u200fمرحبا\u200e",
		"combining":          "Cafe\u0301 Å", // not composed: stays as it is
		"composed":           "Café Å",
		"astral":             "𐍈𝔘𠜎\U0010FFFD",
		"no characters":      "\uFFFE\uFFFF\uFFFD",
		"private use":        "\uE000",
		"CJK":                "東京都千代田区",
		"Devanagari":         "नमस्ते",
		"zero width":         "a\u200Bb\uFEFFc",
		"separators inside":  "a\u2028b\u00A0c",
		"markup":             `<script>alert("1")</script>&amp;`,
		"quotes":             `O'Brien "x" \ / -- ; $1 %s {{.}}`,
	}
	for path, fields := range map[string][]string{
		"/units":      {"name", "address1", "address2", "city", "state", "postalCode", "externalRef"},
		"/properties": {"name", "address1", "address2", "city", "state", "postalCode", "externalRef"},
		"/me":         {"fullName", "companyName", "phone"},
	} {
		for name, text := range texts {
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				c := c.as(t)
				body := object{}
				for _, field := range fields {
					body[field] = text
				}
				if utf8.RuneCountInString(text) > 20 {
					delete(body, "postalCode")
				}
				if path == "/me" { // one row for all texts, so what this answers counts
					require.Subset(t, c.patch(path, body).ok(http.StatusOK).body, body)
					return
				}
				got := c.get(c.created(path, body)).ok(http.StatusOK)
				require.Subset(t, got.body, body)
				require.True(t, utf8.ValidString(got.text))
			})
		}
	}
}

func TestTextAtItsLongest(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	body := object{}
	for field, length := range map[string]int{
		"name": 200, "address1": 200, "address2": 200, "city": 100, "state": 100, "postalCode": 20, "externalRef": 100,
	} {
		body[field] = strings.Repeat("𝔘", length) // four bytes each
	}
	for _, path := range []string{"/units", "/properties"} {
		require.Subset(t, c.get(c.created(path, body)).ok(http.StatusOK).body, body)
		for field := range body {
			longer := object{"name": "a"}
			longer[field] = body[field].(string) + "𝔘"
			c.post(path, longer).refused(http.StatusBadRequest, "invalid_request", "#/"+field)
		}
	}
	me := object{}
	for field, length := range map[string]int{"fullName": 200, "companyName": 200, "phone": 50} {
		me[field] = strings.Repeat("𝔘", length)
		c.patch("/me", object{field: me[field].(string) + "𝔘"}).refused(http.StatusBadRequest, "invalid_request", "#/"+field)
	}
	require.Subset(t, c.patch("/me", me).ok(http.StatusOK).body, me)
	require.Subset(t, c.get("/me").body, me)
}

func TestNamesAreTrimmed(t *testing.T) {
	t.Parallel()
	c := serve(t).newLandlord(t)
	unit := c.created("/units", object{"name": " \u00a0Attic\u3000 "})
	require.Equal(t, "Attic", c.get(unit).body["name"])
	c.post("/units", object{"name": "attic "}).refused(http.StatusConflict, "name_taken", "#/name")
}
