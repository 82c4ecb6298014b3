// Package policy compares what a database allows with what this build's files
// allow, and mends the difference.
package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rowhouse/policies"
)

// Fact is one thing that is so in a database; policies/state.sql says what the
// fields mean.
type Fact struct {
	Step         int32    `json:"step"`
	Kind         string   `json:"kind"`
	Object       string   `json:"object"`
	Fact         string   `json:"fact"`
	Widest       []string `json:"widest,omitempty"`
	Replaces     bool     `json:"replaces,omitempty"`
	Make         []string `json:"make,omitempty"`
	Unmake       []string `json:"-"`
	Made         string   `json:"made,omitempty"`
	Unmade       string   `json:"-"`
	WidensMade   bool     `json:"widensMade,omitempty"`
	WidensUnmade bool     `json:"-"`
}

// Desired is the state of a database that this build has migrated.
func Desired() ([]Fact, error) {
	var facts []Fact
	if err := json.Unmarshal(policies.Desired(), &facts); err != nil {
		return nil, fmt.Errorf("policies/state.json: %w", err)
	}
	return facts, nil
}

// read reads the state of a database, in a transaction that is settled: how
// Postgres names things depends on the search path.
func read(ctx context.Context, tx pgx.Tx) ([]Fact, error) {
	rows, err := tx.Query(ctx, policies.State())
	if err != nil {
		return nil, fmt.Errorf("policies/state.sql: %w", err)
	}
	facts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Fact])
	if err != nil {
		return nil, fmt.Errorf("policies/state.sql: %w", err)
	}
	return facts, nil
}

// Look reads the state of the database at url. It takes no lock but the weakest,
// and gives up when it has to wait for that: a table that is being altered has no
// state yet.
func Look(ctx context.Context, url string) (facts []Fact, err error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := settle(ctx, tx); err != nil {
			return err
		}
		facts, err = read(ctx, tx)
		return err
	})
	return facts, err
}

// preamble begins every transaction of this package, and the SQL of a plan.
var preamble = []string{
	"set local lock_timeout = '1500ms'", // below that of requests, which would wait behind ours
	"set local search_path = pg_catalog, pg_temp",
	"set local check_function_bodies = off", // functions refer to one another, and come in no order
}

// settle prepares a transaction for everything that is done here.
func settle(ctx context.Context, tx pgx.Tx) error {
	// compiling the query of the state takes a hundred times as long as running it
	for _, sql := range append([]string{"set local jit = off"}, preamble...) {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("database URL: not a valid Postgres URL") // the cause would quote the password
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}
