package probe

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// attacks tries every operation as landlord A on what is B's, and then looks
// whether B's books are what they were.
func (r *run) attacks(ctx context.Context) error {
	for _, o := range r.all {
		if err := r.attack(ctx, o); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("stopped: %w", context.Cause(ctx))
			}
			r.uncovered(o, "%s", err.Error())
		}
	}
	if err := r.unharmed(ctx, nil); err != nil {
		return err
	}
	for _, o := range r.all { // what A has made must not stand in B's lists, which send looks for
		if o.method == http.MethodGet && !strings.Contains(o.path, "{") && len(o.unfillable()) == 0 {
			if _, err := r.list(ctx, r.b, o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) attack(ctx context.Context, o operation) error {
	if err := r.withoutSession(ctx, o); err != nil {
		return err
	}
	if len(r.unfillable(o)) > 0 {
		return nil
	}
	if o.ID == invitingMany {
		r.judged(o)
		r.note(o, "sends as many mails as it has rows, so it is not called")
		return nil
	}
	places := o.places()
	for _, p := range places {
		if err := r.attackPlace(ctx, o, p); err != nil {
			return err
		}
	}
	if err := r.attackWhole(ctx, o, places); err != nil {
		return err
	}
	if o.method != http.MethodGet {
		if o.ID == consenting {
			r.judged(o)
			r.note(o, "kept for ever, so it is called once in a canary's life and at once taken back")
			return r.unharmed(ctx, nil)
		}
		if len(places) == 0 && !o.makes() {
			return r.attackOwn(ctx, o)
		}
		return r.unharmed(ctx, &o)
	}
	if !slices.ContainsFunc(places, func(p place) bool { return p.in == "path" }) {
		return r.readAll(ctx, o)
	}
	return nil
}

// attackPlace puts each of B's ids where an operation takes an id. The answer must
// be that to an id that nobody has.
func (r *run) attackPlace(ctx context.Context, o operation, p place) error {
	base, err := r.a.ask(o)
	if err != nil {
		r.uncovered(o, "%s", err.Error())
		return nil
	}
	random := uuid.NewString()
	nobodys, err := r.send(ctx, r.a, base.with(p, random))
	if err != nil {
		return err
	}
	if nobodys.status >= 500 || p.in != "query" && nobodys.ok() {
		r.uncovered(o, "an id that nobody has, in %s, is answered %s", p, nobodys.problem())
		return nil
	}
	check := fmt.Sprintf("B's ids in %s are answered as ids that nobody has", p)
	for _, id := range r.b.all() {
		what := fmt.Sprintf("%s %s with %s %s of B's in %s", o.method, o.path, r.b.kindOf(id), id, p)
		if err := r.compare(ctx, base.with(p, random), base.with(p, id), nobodys, check, what); err != nil {
			return err
		}
	}
	if p.in == "path" && o.takes("If-Match") {
		if err := r.attackWithETag(ctx, base, p, random); err != nil {
			return err
		}
	}
	return r.control(ctx, p, base.with(p, random))
}

// attackWithETag names B's rows with the ETags that only B knows.
func (r *run) attackWithETag(ctx context.Context, base request, p place, random string) error {
	for _, row := range r.b.rows {
		etag := row.seen.header.Get("Etag")
		if etag == "" || !alike(row.kind, p.kind) {
			continue
		}
		base := base.under("If-Match", etag)
		nobodys, err := r.send(ctx, r.a, base.with(p, random))
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%s %s with %s %s of B's and its ETag", base.method, base.path, row.kind, row.id)
		if err := r.compare(ctx, base.with(p, random), base.with(p, row.id), nobodys, "B's ETag opens nothing", what); err != nil {
			return err
		}
	}
	return nil
}

// attackWhole names B's rows in all places at once: what one place refuses for its
// own row may pass when all of them are B's.
func (r *run) attackWhole(ctx context.Context, o operation, places []place) error {
	places = slices.DeleteFunc(slices.Clone(places), func(p place) bool { return p.in == "query" || p.secret })
	if len(places) < 2 && o.method != http.MethodPut {
		return nil
	}
	theirs, err := r.b.ask(o)
	if err != nil {
		return nil //nolint:nilerr // B has not all that it takes; each place was tried by itself
	}
	theirs.token = r.a.token
	if _, ok := theirs.body["name"]; ok {
		theirs.body["name"] = r.a.next().text()
	}
	nobodys := theirs
	for _, p := range places {
		if id := r.b.id(p.kind); id != "" {
			theirs = theirs.with(p, id)
		}
		nobodys = nobodys.with(p, uuid.NewString())
	}
	answer, err := r.send(ctx, r.a, nobodys)
	if err != nil {
		return err
	}
	return r.compare(ctx, nobodys, theirs, answer, "B's ids in all places are answered as ids that nobody has",
		fmt.Sprintf("%s %s with B's ids in all places", o.method, o.path))
}

// compare sends a request that names B's and compares the answer with that to one
// which names nobody's. A difference that a second look does not confirm is none:
// a server may have been busy, or midnight may have passed.
func (r *run) compare(ctx context.Context, nobodys, theirs request, expected answer, check, what string) error {
	got, err := r.send(ctx, r.a, theirs)
	if err != nil {
		return err
	}
	r.judged(theirs.operation)
	found := differences(expected, got, values(nobodys), values(theirs))
	if len(found) == 0 {
		return nil
	}
	if !got.ok() || expected.ok() {
		if expected, err = r.send(ctx, r.a, nobodys); err != nil {
			return err
		}
		if got, err = r.send(ctx, r.a, theirs); err != nil {
			return err
		}
		if got.status >= 500 || got.status == http.StatusTooManyRequests {
			r.uncovered(theirs.operation, "%s is answered %s", what, got.problem())
			return nil
		}
		if found = differences(expected, got, values(nobodys), values(theirs)); len(found) == 0 {
			return nil
		}
	}
	r.cross(theirs.operation, check, what, found)
	return nil
}

func values(q request) []string {
	var ids []string
	for _, id := range q.ids {
		ids = append(ids, id)
	}
	return ids
}

// nobodysETag is a version that no row has.
const nobodysETag = `"999999999"`

// control looks whether an operation finds a row of A's own where it takes an id:
// an operation that refuses everything shows nothing by refusing B's. nobodys names
// a row that nobody has.
func (r *run) control(ctx context.Context, p place, nobodys request) error {
	o := nobodys.operation
	if why := o.uncontrolled(p); why != "" {
		r.note(o, why)
		return nil
	}
	if o.makes() {
		return nil // A's own rows were made with it
	}
	if o.takes("If-Match") && p.in == "path" {
		nobodys = nobodys.under("If-Match", nobodysETag) // it is found, and left as it is
	} else if o.method == http.MethodDelete {
		r.note(o, "A's own row is deleted with it only at the end")
		return nil
	}
	refused, err := r.send(ctx, r.a, nobodys)
	if err != nil {
		return err
	}
	candidates := r.a.all()
	slices.SortStableFunc(candidates, func(x, y string) int { return rank(r.a.kindOf(y), p.kind) - rank(r.a.kindOf(x), p.kind) })
	for _, id := range candidates {
		own := nobodys.with(p, id)
		a, err := r.send(ctx, r.a, own)
		if err != nil {
			return err
		}
		if a.status < 500 && len(differences(refused, a, values(nobodys), values(own))) > 0 {
			return nil
		}
	}
	r.uncovered(o, "with none of A's own ids in %s is the answer another than to an id that nobody has: %s", p, refused.problem())
	return nil
}

func rank(x, y string) int {
	if alike(x, y) {
		return 1
	}
	return 0
}

// attackOwn calls what takes no ids and changes the caller's own: with a version
// that does not exist, so that it stays as it is.
func (r *run) attackOwn(ctx context.Context, o operation) error {
	if !o.takes("If-Match") {
		r.uncovered(o, "it names no row, and what it would change is not known")
		return nil
	}
	q, err := r.a.ask(o)
	if err != nil {
		return err
	}
	a, err := r.send(ctx, r.a, q.under("If-Match", nobodysETag))
	if err != nil {
		return err
	}
	r.judged(o)
	if a.status != http.StatusPreconditionFailed {
		r.uncovered(o, "a version that does not exist is answered %s", a.problem())
	}
	return nil
}

// unharmed looks whether B's rows are what they were: those that an operation is
// for, or with nil all.
func (r *run) unharmed(ctx context.Context, by *operation) error {
	r.comparing = true // with what B's rows were: no need to look for A's texts in them
	defer func() { r.comparing = false }()
	for _, row := range r.b.rows {
		if by != nil && !slices.ContainsFunc(by.places(), func(p place) bool { return alike(p.kind, row.kind) }) {
			continue
		}
		a, known, err := r.look(ctx, r.b, row)
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		get := *itemOf(r.all, row.kind).get
		if !a.ok() && a.status != http.StatusNotFound { // as long as the server does not say that it is gone
			r.uncovered(get, "landlord B's own is answered %s", a.problem())
			continue
		}
		found := differences(row.seen, a, nil, nil)
		row.seen = a
		if len(found) == 0 {
			continue
		}
		r.harmed = true
		if by == nil {
			by = &get // nothing says which operation it was
		}
		r.cross(*by, "B's rows stay as they are", fmt.Sprintf("%s %s as B, %s %s", get.method, get.path, row.kind, row.id), found)
	}
	return nil
}
