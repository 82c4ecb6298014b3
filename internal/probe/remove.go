package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// cleanUp deletes the rows that the run has made for a canary, and those that it
// may have made without learning of it.
func (r *run) cleanUp(ctx context.Context, c *canary) {
	var made []*row
	for _, row := range c.rows {
		if !row.kept {
			made = append(made, row)
		}
	}
	left := r.removeAll(ctx, c, made)
	if r.client.lost {
		found, err := r.leftovers(ctx, c)
		if err != nil {
			r.report.NotDeleted = append(r.report.NotDeleted, fmt.Sprintf("rows of landlord %s, as looking for them fails: %s", strings.ToUpper(c.name), err))
		}
		left = r.removeAll(ctx, c, found)
	}
	for row, why := range left {
		r.report.NotDeleted = append(r.report.NotDeleted, fmt.Sprintf("%s %s of landlord %s: %s", row.kind, row.id, strings.ToUpper(c.name), why))
	}
	slices.Sort(r.report.NotDeleted)
}

// removeAll deletes rows, the last one first, and again what others then referred
// to. It returns what is left, and why.
func (r *run) removeAll(ctx context.Context, c *canary, rows []*row) map[*row]string {
	left := map[*row]string{}
	for range 3 {
		clear(left)
		for _, row := range slices.Backward(rows) {
			if err := r.remove(ctx, c, row); err != nil {
				left[row] = err.Error()
			}
		}
		rows = slices.DeleteFunc(slices.Clone(rows), func(row *row) bool { return left[row] == "" })
		if len(rows) == 0 {
			break
		}
	}
	return left
}

// putAway are the members that say that a row is done with. The API deletes some
// rows only then.
var putAway = []string{"archived", "cancelled"}

// remove deletes a row, put away first where that is asked for.
func (r *run) remove(ctx context.Context, c *canary, row *row) error {
	ops := itemOf(r.all, row.kind)
	if ops.remove == nil {
		return errors.New("no operation deletes it")
	}
	a, err := r.to(ctx, c, *ops.remove, row.id, nil)
	for _, member := range putAway {
		if err != nil || a.status != http.StatusConflict || ops.change == nil || ops.change.json == nil || !ops.change.json.Properties[member].is("boolean") {
			continue
		}
		if a, err = r.to(ctx, c, *ops.change, row.id, map[string]any{member: true}); err == nil {
			a, err = r.to(ctx, c, *ops.remove, row.id, nil)
		}
	}
	switch {
	case err != nil:
		return err
	case a.ok(), a.status == http.StatusNotFound:
		return nil
	}
	if there, _, err := r.look(ctx, c, row); err == nil && there.status == http.StatusNotFound {
		return nil // somebody else was faster
	}
	return fmt.Errorf("deleting it is answered %s", a.problem())
}

// to sends a canary's request for one row.
func (r *run) to(ctx context.Context, c *canary, o operation, id string, body map[string]any) (answer, error) {
	q, err := c.ask(o)
	if err != nil {
		q = request{operation: o, ids: map[place]string{}, header: map[string]string{}, token: c.token}
	}
	q.body = body
	a, err := r.send(ctx, c, q.with(o.places()[0], id))
	if err != nil {
		return a, fmt.Errorf("%s: %w", o.ID, err)
	}
	return a, nil
}

// look reads a row; known says whether an operation does that.
func (r *run) look(ctx context.Context, c *canary, row *row) (a answer, known bool, err error) {
	ops := itemOf(r.all, row.kind)
	if ops.get == nil {
		return answer{}, false, nil
	}
	a, err = r.to(ctx, c, *ops.get, row.id, nil)
	return a, true, err
}
