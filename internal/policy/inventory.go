package policy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rowhouse/policies"
)

// Inventory is what there is of rules in a database, as its login sees it.
type Inventory struct {
	Tables   []TablePolicy
	Definers []Definer
	Roles    []OurRole
	Access   []Access
}

// TablePolicy is a policy of a table, or a table without one; see
// policies/inventory/tables.sql.
type TablePolicy struct {
	Schema, Table   string
	Enabled, Forced bool
	Policy          *string
	Boundary        *bool
	Command         *string
	Roles           []string
}

// Definer is a function that runs as its owner; see policies/inventory/definers.sql.
type Definer struct {
	Name, Owner string
	Callers     []string
}

// OurRole is one of our roles; see policies/inventory/roles.sql.
type OurRole struct {
	Name           string
	Persona, Login bool
}

// ReadInventory reads the catalog of the database at url, in one read-only
// transaction that takes no lock that a statement would wait for. Every login may:
// it needs no right that PUBLIC does not have.
func ReadInventory(ctx context.Context, url string) (i Inventory, err error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return Inventory{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := settle(ctx, tx); err != nil {
			return err
		}
		if i.Tables, err = collect[TablePolicy](ctx, tx, "inventory/tables.sql", policies.Inventory("tables")); err != nil {
			return err
		}
		if i.Definers, err = collect[Definer](ctx, tx, "inventory/definers.sql", policies.Inventory("definers")); err != nil {
			return err
		}
		if i.Roles, err = collect[OurRole](ctx, tx, "inventory/roles.sql", policies.Inventory("roles")); err != nil {
			return err
		}
		i.Access, err = rows[Access](ctx, tx, "access")
		return err
	})
	if err != nil {
		return Inventory{}, fmt.Errorf("read the inventory: %w", err)
	}
	return i, nil
}
