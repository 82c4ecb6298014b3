package localauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Setup creates what a Server needs in the database of admin: the login role
// supabase_auth_admin with the given password, and schema auth with its tables,
// owned by that role and granted to nobody else. It changes nothing that is in
// place, except that the role gets the password. admin is a superuser, or may
// create roles and schemas and become supabase_auth_admin.
//
// A database that the real Supabase Auth has migrated is refused untouched.
func Setup(ctx context.Context, admin *pgx.Conn, password string) error {
	if password == "" {
		return errors.New("set up local auth: the password of supabase_auth_admin is empty")
	}
	var err error
	// Roles belong to the cluster, so two databases set up at once can collide.
	for range 5 {
		err = pgx.BeginFunc(ctx, admin, func(tx pgx.Tx) error { return setup(ctx, tx, password) })
		if !collided(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("set up local auth: %w", err)
	}
	return nil
}

func setup(ctx context.Context, tx pgx.Tx, password string) error {
	var foreign bool
	if err := tx.QueryRow(ctx, setupForeignSQL).Scan(&foreign); err != nil {
		return fmt.Errorf("look for the real service: %w", err)
	}
	if foreign {
		return errors.New("schema auth belongs to the real Supabase Auth: set SUPABASE_URL to use that, or choose another database")
	}
	if _, err := tx.Exec(ctx, "select set_config('localauth.password', $1, true)", password); err != nil {
		return fmt.Errorf("pass the password: %w", err)
	}
	if _, err := tx.Exec(ctx, setupRoleSQL); err != nil {
		return fmt.Errorf("create role supabase_auth_admin: %w", err)
	}
	if _, err := tx.Exec(ctx, setupSchemaSQL); err != nil {
		return fmt.Errorf("create schema auth: %w", err)
	}
	return nil
}

// collided reports whether err came from somebody else creating or altering the
// same role or schema at the same moment.
func collided(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch pg.Code {
	case "23505", "42710", "42P06": // duplicate row, object, schema
		return true
	case "XX000":
		return pg.Message == "tuple concurrently updated"
	}
	return false
}
