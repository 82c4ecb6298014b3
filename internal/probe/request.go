package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// request is an operation with what is put into its places.
type request struct {
	operation
	ids    map[place]string
	query  url.Values
	body   map[string]any
	header map[string]string
	token  string
	table  []byte // a spreadsheet, for what takes one
}

// ask is a request of the canary's for an operation, in which its own ids stand
// wherever one is required. It fails when it has none of a kind.
func (c *canary) ask(o operation) (request, error) {
	q := request{operation: o, ids: map[place]string{}, query: url.Values{}, header: map[string]string{}, token: c.token}
	s := c.next()
	for _, p := range o.Parameters {
		value, ok := s.value(p.Name, p.Schema)
		switch {
		case p.In == "query" && ok && (p.Required || p.Name == "fileName"): // by which it is known again
			q.query.Set(p.Name, fmt.Sprint(value))
		case p.In == "path" && p.Schema.is("integer"):
			q.path = strings.ReplaceAll(q.path, "{"+p.Name+"}", "1")
		}
	}
	if slices.Contains(o.files, tableType) {
		q.table = s.table()
	}
	if o.json != nil {
		switch o.method {
		case http.MethodPut:
			q.body = c.replacement(o, s)
		case http.MethodPatch:
			q.body = map[string]any{}
			for _, name := range o.json.Required {
				q.body[name], _ = s.value(name, o.json.Properties[name])
			}
			for name, member := range sorted(o.json.Properties) {
				if member.is("string") && member.Format == "" && len(member.Enum) == 0 && member.fits(s.text()) {
					q.body[name] = s.text()
					break
				}
			}
		default:
			q.body = s.body(*o.json)
		}
	}
	for _, p := range o.places() {
		required := p.in == "path" || p.in == "body" && slices.Contains(o.json.Required, p.name) && q.body[p.name] == nil
		if !required {
			continue
		}
		id := c.id(p.kind)
		if p.secret {
			id = uuid.NewString()
		}
		if id == "" {
			return request{}, fmt.Errorf("landlord %s has none of %s to put into %s", strings.ToUpper(c.name), p.kind, p)
		}
		q.ids[p] = id
	}
	return q, nil
}

// replacement is what replaces a row by itself, but for a text.
func (c *canary) replacement(o operation, s sampler) map[string]any {
	body := s.body(*o.json)
	if row := c.row(o.kindInPath("id")); row != nil {
		if seen, ok := decode(row.seen.body); ok {
			members, _ := seen.(map[string]any)
			for name := range o.json.Properties {
				if value, ok := members[name]; ok && (body[name] == nil || name == "status") {
					body[name] = value
				}
			}
		}
	}
	return body
}

// with is the request with an id in a place.
func (q request) with(p place, id string) request {
	q.ids = maps.Clone(q.ids)
	q.ids[p] = id
	return q
}

// under is the request with a header.
func (q request) under(name, value string) request {
	q.header = maps.Clone(q.header)
	q.header[name] = value
	return q
}

// target is the path with the query, and the body as it is sent.
func (q request) target() (target string, body []byte, err error) {
	target, query := q.path, maps.Clone(q.query)
	members := maps.Clone(q.body)
	for p, id := range q.ids {
		switch p.in {
		case "path":
			target = strings.ReplaceAll(target, "{"+p.name+"}", url.PathEscape(id))
		case "query":
			query.Set(p.name, id)
		case "body":
			members[p.name] = id
		}
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	switch {
	case q.table != nil:
		body = q.table
	case q.json == nil && slices.Contains(q.files, pictureType):
		body = picture()
	case q.json != nil && (q.Body.Required || len(members) > 0):
		body, err = json.Marshal(members)
	}
	return target, body, err
}

// timed bounds a request that is sent several times while the server is busy.
const timed = 3 * time.Minute

// send sends a request and looks for what is the other canary's in the answer.
func (r *run) send(ctx context.Context, c *canary, q request) (answer, error) {
	target, body, err := q.target()
	if err != nil {
		return answer{}, err
	}
	header := http.Header{"Accept": {"application/json, */*"}, "User-Agent": {"rowhouse-isolation"}}
	for name, value := range q.header {
		header.Set(name, value)
	}
	if q.token != "" {
		header.Set("Authorization", "Bearer "+q.token)
	}
	switch {
	case q.table != nil:
		header.Set("Content-Type", tableType)
	case body != nil && q.json == nil:
		header.Set("Content-Type", pictureType)
	case body != nil:
		header.Set("Content-Type", "application/json")
	}
	ctx, cancel := context.WithTimeout(ctx, timed)
	defer cancel()
	a, err := r.client.send(ctx, q.method, target, header, body)
	if err != nil {
		return a, err
	}
	if c == nil {
		c = r.a
	} else if o := q.operation; o.makes() && a.status == http.StatusCreated {
		c.made(o, a, r.other(c))
	}
	if c == r.b && (r.comparing || r.harmed) {
		return a, nil
	}
	sent, err := url.QueryUnescape(target)
	if err != nil {
		sent = target
	}
	if found := leaks(r.other(c), sent+string(body), a); len(found) > 0 {
		r.cross(q.operation, "nothing of the other landlord's stands in an answer",
			fmt.Sprintf("%s %s as landlord %s", q.method, q.path, strings.ToUpper(c.name)), found)
	}
	return a, nil
}
