package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// prepare clears up after earlier runs, gives both canaries their rows, and notes
// how they look.
func (r *run) prepare(ctx context.Context) error {
	for _, c := range []*canary{r.b, r.a} {
		if err := r.onboard(ctx, c); err != nil {
			return err
		}
		left, err := r.leftovers(ctx, c)
		if err != nil {
			return err
		}
		r.report.Leftovers += len(left) - len(r.removeAll(ctx, c, left))
	}
	for _, c := range []*canary{r.b, r.a} {
		if err := r.furnish(ctx, c); err != nil {
			return err
		}
	}
	for _, c := range []*canary{r.b, r.a} {
		for _, row := range c.rows {
			a, known, err := r.settled(ctx, c, row)
			if err != nil {
				return err
			}
			if known && !a.ok() {
				return fmt.Errorf("landlord %s's own %s are answered %s", strings.ToUpper(c.name), row.kind, a.problem())
			}
			row.seen = a
		}
	}
	return nil
}

// settling is how long to wait for what the server does about a row in the background.
const settling = time.Minute

// settled reads a row when the server has done what it does about it by itself: what
// changes later was changed by somebody.
func (r *run) settled(ctx context.Context, c *canary, row *row) (a answer, known bool, err error) {
	for deadline := time.Now().Add(settling); ; {
		a, known, err = r.look(ctx, c, row)
		var shown struct{ State string }
		if err != nil || !a.ok() || json.Unmarshal(a.body, &shown) != nil || shown.State != "REQUESTED" || time.Now().After(deadline) {
			return a, known, err
		}
		select {
		case <-ctx.Done():
			return a, known, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// leftovers are the rows that a run has left behind. In passing, it learns which
// ids are the canary's.
func (r *run) leftovers(ctx context.Context, c *canary) ([]*row, error) {
	texts := map[*row]string{} // of all rows that can be deleted
	for _, o := range r.all {
		if o.method != http.MethodGet || strings.Contains(o.path, "{") || len(r.unfillable(o)) > 0 {
			continue
		}
		items, err := r.list(ctx, c, o)
		if err != nil {
			return nil, err
		}
		if itemOf(r.all, o.collection()).remove == nil {
			continue
		}
		for _, item := range items {
			var known struct{ ID string }
			if json.Unmarshal(item, &known) == nil && !strings.Contains(string(item), kept) {
				texts[&row{kind: o.collection(), id: known.ID}] = string(item)
			}
		}
	}
	return named(texts), nil
}

// named are the rows that have the probe's name, and those that refer to them.
func named(texts map[*row]string) []*row {
	var left []*row
	for {
		before := len(left)
		for r, text := range texts {
			refers := slices.ContainsFunc(left, func(l *row) bool { return strings.Contains(text, l.id) })
			if refers || strings.Contains(text, prefix) {
				left = append(left, r)
				delete(texts, r)
			}
		}
		if len(left) == before {
			return left
		}
	}
}

// pages bounds the walk through one list, of a hundred rows a page.
const pages = 50

// list walks a list to its end and returns its items.
func (r *run) list(ctx context.Context, c *canary, o operation) (items []json.RawMessage, err error) {
	q, err := c.ask(o)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"limit": "100", "archived": "all", "cursor": "*"} {
		if o.asks(name) {
			q.query.Set(name, value)
		}
	}
	for range pages {
		a, err := r.send(ctx, c, q)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.ID, err)
		}
		if a.status == http.StatusNotFound && o.answers("404") {
			r.note(o, "there is none of the canaries'")
			return items, nil
		}
		if !a.ok() {
			r.uncovered(o, "landlord %s's own reading is answered %s", strings.ToUpper(c.name), a.problem())
			return nil, nil
		}
		r.learn(c, o, a)
		page, cursor := itemsOf(a.body, o.collection())
		items = append(items, page...)
		if !o.asks("cursor") || cursor == "" || strings.HasSuffix(o.path, "/audit") { // its end is far, and nothing there can be deleted
			return items, nil
		}
		q.query.Set("cursor", cursor)
	}
	return nil, fmt.Errorf("%s: landlord %s has more than %d rows: probe with landlords who exist for it", o.ID, strings.ToUpper(c.name), pages*100)
}

// itemsOf returns the items of a page and where the next one begins.
func itemsOf(body []byte, collection string) (items []json.RawMessage, cursor string) {
	var members map[string]json.RawMessage
	var place struct{ Pagination struct{ NextCursor string } }
	if json.Unmarshal(body, &members) != nil || json.Unmarshal(body, &place) != nil {
		return nil, ""
	}
	for name, member := range members {
		if alike(kind(name), collection) && json.Unmarshal(member, &items) == nil {
			break
		}
	}
	return items, place.Pagination.NextCursor
}

// learn notes the ids of an answer about the canary's own as theirs. One that the
// other has read as theirs is a crossing.
func (r *run) learn(c *canary, o operation, a answer) {
	other := r.other(c)
	for _, id := range anyID.FindAllString(string(a.body), -1) {
		id = strings.ToLower(id)
		if by, ok := other.known[id]; ok {
			body, _ := decode(a.body)
			found := pointers(body, "", func(text string) bool { return strings.Contains(strings.ToLower(text), id) })
			r.cross(o, "no id is read by both landlords", fmt.Sprintf("%s %s, and %s as the other", o.method, o.path, by), found)
			continue
		}
		if c.known[id] == "" {
			c.known[id] = o.ID
		}
	}
}

// furnish gives the canary rows, in the order in which one needs another.
func (r *run) furnish(ctx context.Context, c *canary) error {
	var todo []operation
	for _, o := range r.all {
		if o.makes() && len(r.unfillable(o)) == 0 {
			todo = append(todo, o)
		}
	}
	// rows get all that they can refer to, unless two kinds wait for each other
	for _, patient := range []bool{true, false} {
		for {
			i := slices.IndexFunc(todo, func(o operation) bool { return ready(c, o, todo, patient) })
			if i < 0 {
				break
			}
			o := todo[i]
			todo = slices.Delete(todo, i, i+1)
			if err := r.make(ctx, c, o); err != nil {
				return err
			}
		}
	}
	for _, o := range todo {
		r.uncovered(o, "there is nothing to make this of")
	}
	if err := r.keepGrant(ctx, c); err != nil {
		return err
	}
	if err := r.keep(ctx, c); err != nil {
		return err
	}
	return r.produce(ctx, c)
}

// ready reports whether the canary has what an operation can refer to, or whether,
// unless patient, it has what it must.
func ready(c *canary, o operation, todo []operation, patient bool) bool {
	for _, p := range o.places() {
		must := p.in == "path" || p.in == "body" && slices.Contains(o.json.Required, p.name)
		comes := slices.ContainsFunc(todo, func(other operation) bool { return other.ID != o.ID && alike(other.collection(), p.kind) })
		if c.id(p.kind) == "" && (must || patient && comes) {
			return false
		}
	}
	return true
}

// make makes a row. Both canaries use one Idempotency-Key for it: each has its own.
func (r *run) make(ctx context.Context, c *canary, o operation) error {
	q, err := c.ask(o)
	if err != nil {
		r.uncovered(o, "%s", err.Error())
		return nil
	}
	for _, p := range o.places() {
		if id := c.id(p.kind); p.in == "body" && id != "" {
			q.ids[p] = id
		}
	}
	if o.takes("Idempotency-Key") {
		q.header["Idempotency-Key"] = "isolation-probe-" + r.report.RunID + "-" + o.ID
	}
	a, err := r.send(ctx, c, q)
	if err != nil {
		return fmt.Errorf("%s: %w", o.ID, err)
	}
	r.judged(o)
	var made struct{ ID string }
	_ = json.Unmarshal(a.body, &made) // without one, it was not made
	if r.other(c).known[made.ID] != "" || a.status == http.StatusUnprocessableEntity && c == r.a {
		r.cross(o, "an Idempotency-Key is its landlord's own", o.method+" "+o.path+" with the key that landlord B used", []string{"status " + a.problem()})
		return nil
	}
	if a.status != http.StatusCreated || made.ID == "" {
		r.uncovered(o, "landlord %s's own is answered %s", strings.ToUpper(c.name), a.problem())
		return nil
	}
	c.add(o.collection(), made.ID)
	r.learn(c, o, a)
	return nil
}

// produce calls, on the canary's own, what makes no rows of its own but answers
// with things that have ids.
func (r *run) produce(ctx context.Context, c *canary) error {
	for _, o := range r.all {
		if o.method != http.MethodPost || o.answers("201") || o.forTenants() || o.takes("If-Match") || len(r.unfillable(o)) > 0 ||
			slices.ContainsFunc(o.places(), func(p place) bool { return p.secret }) {
			continue
		}
		q, err := c.ask(o)
		if err != nil {
			continue // said where it is attacked
		}
		a, err := r.send(ctx, c, q)
		if err != nil {
			return fmt.Errorf("%s: %w", o.ID, err)
		}
		if a.ok() {
			c.gather(a.body)
			r.learn(c, o, a)
		}
	}
	return nil
}

// unfillable are the parts of an operation's requests that the probe cannot fill,
// which it reports.
func (r *run) unfillable(o operation) []string {
	parts := o.unfillable()
	for _, part := range parts {
		r.uncovered(o, "no value is known for %s", part)
	}
	return parts
}
