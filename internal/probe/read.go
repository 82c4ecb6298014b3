package probe

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// readAll reads, as A, what takes no id in its path: lists, the search, the
// dashboard. send looks for what is B's in each answer.
func (r *run) readAll(ctx context.Context, o operation) error {
	if _, err := r.list(ctx, r.a, o); err != nil {
		return err
	}
	r.judged(o)
	if o.forTenants() {
		r.note(o, asLandlord)
	}
	base, err := r.a.ask(o)
	if err != nil {
		return err
	}
	for _, p := range o.Parameters {
		if p.In != "query" || p.Schema.Format == "uuid" {
			continue
		}
		for _, pair := range r.tempting(p) {
			ask := func(text string) request {
				q := base
				q.query = url.Values{p.Name: {text}}
				for name, value := range base.query {
					if name != p.Name {
						q.query[name] = value
					}
				}
				return q
			}
			expected, err := r.send(ctx, r.a, ask(pair.nobodys))
			if err != nil {
				return err
			}
			err = r.compare(ctx, ask(pair.nobodys), ask(pair.theirs), expected, "B's texts in query "+p.Name+" find nothing",
				o.method+" "+o.path+" with a text of B's in query "+p.Name)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// pair is a text of B's and one like it that nobody has.
type pair struct{ theirs, nobodys string }

// tempting are texts of B's that a parameter may look for.
func (r *run) tempting(p parameter) []pair {
	switch p.Name {
	case "cursor":
		var pairs []pair
		for _, id := range r.b.all() {
			if raw, err := uuid.Parse(id); err == nil {
				nobodys := raw
				nobodys[15] ^= 1 // a cursor is a position: this one is beside B's
				pairs = append(pairs, pair{base64.RawURLEncoding.EncodeToString(raw[:]), base64.RawURLEncoding.EncodeToString(nobodys[:])})
			}
		}
		return pairs
	case "q":
		nobodys := strings.Repeat("z", len(r.b.marker))
		return []pair{{r.b.marker, nobodys}, {r.b.landlord.Email, nobodys}}
	}
	return nil
}

// withoutSession calls an operation with no right to. It names rows that nobody
// has: where a session is not asked for, nothing is harmed.
func (r *run) withoutSession(ctx context.Context, o operation) error {
	if o.public {
		r.note(o, "needs no session, as its document says")
		return nil
	}
	q := request{operation: o, ids: map[place]string{}, query: url.Values{}, header: map[string]string{}}
	if o.json != nil {
		q.body = r.a.next().body(*o.json)
	}
	for _, p := range o.places() {
		if p.in != "query" {
			q.ids[p] = uuid.NewString()
		}
	}
	for name, token := range map[string]string{"no session": "", "a garbage token": "not.a.token", "an unsigned token of B's": r.unsigned()} {
		q.token = token
		a, err := r.send(ctx, nil, q)
		if err != nil {
			return err
		}
		r.judged(o)
		switch {
		case a.status == http.StatusUnauthorized:
		case a.status >= 500 || a.status == http.StatusTooManyRequests:
			r.uncovered(o, "with %s it is answered %s", name, a.problem())
		default:
			r.cross(o, name+" opens nothing", o.method+" "+o.path+" with "+name, []string{"status " + a.problem() + ", not 401"})
		}
	}
	return nil
}

// unsigned is a token that says that it is B's, with nothing to prove it.
func (r *run) unsigned() string {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	parts := strings.Split(r.b.token, ".")
	if len(parts) != 3 {
		return encode(`{"alg":"none","typ":"JWT"}`) + "." + encode(`{"role":"authenticated"}`) + "."
	}
	return encode(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + "."
}
