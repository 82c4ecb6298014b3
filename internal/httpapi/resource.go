package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// resource is a kind of row that landlords keep: what the operations that are
// alike for all kinds need to know of one. R is the row as the database has it,
// D what a landlord says of it, V how the API shows it.
type resource[R, D, V any] struct {
	path string // under the API's prefix
	name string // in operation ids: createUnit
	noun string // in summaries: Add a unit

	read   func(context.Context, query.DBTX, uuid.UUID) (R, error)
	lock   func(context.Context, query.DBTX, uuid.UUID) (R, error) // for the rest of the transaction
	create func(context.Context, query.DBTX, D) (R, error)
	update func(context.Context, *db.Tx, uuid.UUID, D) (R, error)
	remove func(context.Context, query.DBTX, uuid.UUID) (bool, error)
	// afterwards returns what is left to do once a row is deleted; nil if there is
	// nothing
	afterwards func(context.Context, query.DBTX, uuid.UUID) (func(context.Context), error)

	show    func(R) V
	data    func(R) D
	version func(R) (uuid.UUID, int32)
	// refused words the refusals that only this kind has; it returns others as
	// they are
	refused func(error) error
}

// Path names a row in a path.
type Path struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"Its id"`
}

// shown is the answer that shows one row.
type shown[V any] struct {
	ETag string `header:"ETag" doc:"Its version, for If-Match"`
	Body V
}

type createInput[D any] struct {
	Idempotent
	Body D
}

type replaceInput[D any] struct {
	Path
	IfMatch
	Body D
}

type patchInput[D any] struct {
	Path
	IfMatch
	Body patch[D]
}

type removeInput struct {
	Path
	IfMatch
}

// keep registers the operations on single rows of a kind.
func keep[R, D, V any](api huma.API, d *db.DB, r resource[R, D, V]) {
	create(api, r.path, "create"+r.name, "Add "+r.noun, rows[R, D, V]{r, d}.create)
	keepMade(api, d, r)
}

// keepMade is keep for a kind whose rows are made in a way of their own: its
// resource needs no create.
func keepMade[R, D, V any](api huma.API, d *db.DB, r resource[R, D, V]) {
	h := rows[R, D, V]{r, d}
	get(api, r.path+"/{id}", "get"+r.name, "Show "+r.noun, h.get)
	change(api, http.MethodPut, r.path+"/{id}", "replace"+r.name, "Replace "+r.noun+"'s data", h.replace)
	change(api, http.MethodPatch, r.path+"/{id}", "update"+r.name, "Change some of "+r.noun+"'s data", h.patch)
	remove(api, r.path+"/{id}", "delete"+r.name, "Delete "+r.noun, h.remove)
}

// rows are the handlers of a resource.
type rows[R, D, V any] struct {
	resource[R, D, V]
	db *db.DB
}

func (h rows[R, D, V]) create(ctx context.Context, in *createInput[D]) (out *created[V], err error) {
	err = h.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "create"+h.name, in.Body, func() (*created[V], error) {
			row, err := h.resource.create(ctx, tx, in.Body)
			id, version := h.version(row)
			return &created[V]{Location: prefix + h.path + "/" + id.String(), ETag: etag(version), Body: h.show(row)}, err
		})
		return err
	})
	return out, h.refused(err)
}

func (h rows[R, D, V]) get(ctx context.Context, in *Path) (*shown[V], error) {
	var row R
	err := reading(ctx, h.db, func(tx *db.Tx) (err error) {
		row, err = h.read(ctx, tx, in.ID)
		return err
	})
	return h.shown(row), err
}

func (h rows[R, D, V]) replace(ctx context.Context, in *replaceInput[D]) (*shown[V], error) {
	return h.change(ctx, in.ID, in.IfMatch, func(D) (D, error) { return in.Body, nil })
}

func (h rows[R, D, V]) patch(ctx context.Context, in *patchInput[D]) (*shown[V], error) {
	return h.change(ctx, in.ID, in.IfMatch, in.Body.apply)
}

// change locks the row, checks the caller's version and writes what to makes of
// its data.
func (h rows[R, D, V]) change(ctx context.Context, id uuid.UUID, m IfMatch, to func(D) (D, error)) (*shown[V], error) {
	var row R
	err := h.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		current, err := h.locked(ctx, tx, id, m)
		if err != nil {
			return err
		}
		data, err := to(h.data(current))
		if err != nil {
			return err
		}
		row, err = h.update(ctx, tx, id, data)
		return forbidMissing(err)
	})
	return h.shown(row), h.refused(err)
}

func (h rows[R, D, V]) remove(ctx context.Context, in *removeInput) (*struct{}, error) {
	var rest func(context.Context)
	err := h.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		if _, err := h.locked(ctx, tx, in.ID, in.IfMatch); err != nil {
			return err
		}
		if h.afterwards != nil {
			var err error
			if rest, err = h.afterwards(ctx, tx, in.ID); err != nil {
				return err
			}
		}
		removed, err := h.resource.remove(ctx, tx, in.ID)
		return removal(removed, err)
	})
	if err == nil && rest != nil {
		rest(ctx)
	}
	return nil, h.refused(err)
}

func (h rows[R, D, V]) locked(ctx context.Context, tx *db.Tx, id uuid.UUID, m IfMatch) (R, error) {
	row, err := h.lock(ctx, tx, id)
	if err != nil {
		return row, forbidMissing(err)
	}
	_, version := h.version(row)
	return row, m.check(version)
}

func (h rows[R, D, V]) shown(row R) *shown[V] {
	_, version := h.version(row)
	return &shown[V]{ETag: etag(version), Body: h.show(row)}
}

// forbidMissing answers a change of a row that is not there as one of a row that
// is another landlord's.
func forbidMissing(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return db.Forbidden().Because(err)
	}
	return err
}

// nameTaken words the refusal of a name's unique key.
func nameTaken(err error, constraint, message string) error {
	return taken(err, constraint, "name", message)
}

// taken words the refusal of a member's unique key.
func taken(err error, constraint, member, message string) error {
	if name, _, ok := db.Constraint(err); ok && name == constraint {
		return errs.New(errs.Conflict, member+"_taken", "%s", message).
			At(errs.Field{Pointer: "/" + member, Message: "is taken"}).Because(err)
	}
	return err
}

// archivedFirst words why remove, which is called with a row that is there and
// deletes only what is archived, did not delete it.
func archivedFirst(remove func(context.Context, query.DBTX, uuid.UUID) (bool, error), advice string) func(context.Context, query.DBTX, uuid.UUID) (bool, error) {
	return func(ctx context.Context, tx query.DBTX, id uuid.UUID) (bool, error) {
		removed, err := remove(ctx, tx, id)
		if err == nil && !removed {
			err = errs.New(errs.Conflict, "archive_first", "%s", advice)
		}
		return removed, err
	}
}

// referrers says in words what a table's rows are to a landlord.
var referrers = map[string]string{
	"units": "units", "tenants": "tenants", "tenancies": "tenancies", "tenant_invites": "invites", "tickets": "tickets",
}

// removal words the answer of a delete function.
func removal(removed bool, err error) error {
	if _, table, ok := db.Constraint(err); ok {
		what, known := referrers[table]
		if !known {
			what = "other records"
		}
		return errs.New(errs.Conflict, "in_use",
			"There are still %s that refer to this. Move or delete them first, or keep this, archived.", what).Because(err)
	}
	if err == nil && !removed {
		return db.Forbidden()
	}
	return err
}
