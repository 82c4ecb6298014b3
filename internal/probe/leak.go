package probe

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// speaks reports whether a text holds the canary's marker.
func (c *canary) speaks(text string) bool { return strings.Contains(text, c.marker) }

// leaks are the places in an answer that hold an id or a text of owner's which the
// request, sent, did not hold: JSON pointers, or names of headers.
func leaks(owner *canary, sent string, a answer) []string {
	theirs := func(text string) bool {
		if owner.speaks(text) && !strings.Contains(sent, owner.marker) {
			return true
		}
		return slices.ContainsFunc(anyID.FindAllString(text, -1), func(id string) bool {
			id = strings.ToLower(id)
			return owner.known[id] != "" && !strings.Contains(strings.ToLower(sent), id)
		})
	}
	var found []string
	for name, values := range sorted(a.header) {
		if theirs(strings.Join(values, "\n")) {
			found = append(found, "header "+name)
		}
	}
	if !theirs(string(a.body)) {
		return found
	}
	body, ok := decode(a.body)
	if !ok {
		return append(found, "body, "+a.header.Get("Content-Type"))
	}
	return append(found, pointers(body, "", theirs)...)
}

// pointers are the JSON pointers of the strings that match.
func pointers(v any, at string, match func(string) bool) (found []string) {
	switch v := v.(type) {
	case string:
		if match(v) {
			found = append(found, at)
		}
	case []any:
		for i, item := range v {
			found = append(found, pointers(item, fmt.Sprintf("%s/%d", at, i), match)...)
		}
	case map[string]any:
		for name, member := range sorted(v) {
			if match(name) {
				found = append(found, at+"/"+name+" (its name)")
			}
			found = append(found, pointers(member, at+"/"+name, match)...)
		}
	}
	return found
}

func decode(body []byte) (any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	return v, decoder.Decode(&v) == nil
}

// compared are the headers that belong to an answer; others come and go.
var compared = []string{"Content-Type", "Etag", "Location", "Allow", "Www-Authenticate", "Idempotency-Replayed"}

// differences are the places in which two answers differ, apart from the request's
// id and what was sent: replaced stands for the ids that each request held.
func differences(x, y answer, ofX, ofY []string) []string {
	var found []string
	if x.status != y.status {
		found = append(found, fmt.Sprintf("status %d, not %d", y.status, x.status))
	}
	for _, name := range compared {
		if masked(x.header.Get(name), ofX) != masked(y.header.Get(name), ofY) {
			found = append(found, "header "+name)
		}
	}
	vx, okX := decode([]byte(masked(string(x.body), ofX)))
	vy, okY := decode([]byte(masked(string(y.body), ofY)))
	if okX && okY {
		return append(found, differ(vx, vy, "")...)
	}
	if !bytes.Equal(x.body, y.body) {
		found = append(found, "body")
	}
	return found
}

func masked(text string, ids []string) string {
	for _, id := range ids {
		text = strings.ReplaceAll(strings.ReplaceAll(text, id, "…"), url.QueryEscape(id), "…")
	}
	return text
}

func differ(x, y any, at string) (found []string) {
	mx, okX := x.(map[string]any)
	my, okY := y.(map[string]any)
	if !okX || !okY {
		if !reflect.DeepEqual(x, y) {
			found = append(found, cmp.Or(at, "the whole body"))
		}
		return found
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(mx)), maps.Keys(my))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name != "requestId" {
			found = append(found, differ(mx[name], my[name], at+"/"+name)...)
		}
	}
	return found
}
