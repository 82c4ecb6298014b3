package httpapi

import (
	"context"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// selfWithRoles returns the caller's profile and what they are, in one round trip
// besides COMMIT whether the cache knows or not.
func (a *API) selfWithRoles(ctx context.Context) (self query.User, roles []string, err error) {
	id, _ := auth.From(ctx)
	read := false
	roles, err = a.roles.Of(ctx, id.UserID, func() (roles []string, err error) {
		err = a.db.AsUser(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
			self, roles, err = query.New().UserSelfWithRoles(ctx, tx)
			return err
		})
		read = err == nil
		return roles, err
	})
	if err != nil || read {
		return self, roles, err
	}
	err = a.db.AsUser(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		self, err = query.New().UserSelf(ctx, tx)
		return err
	})
	return self, roles, err
}
