// Package migrations holds the schema's history: forward-only goose files, run
// in order of their numbers by internal/migrate as rowhouse_owner.
package migrations

import "embed"

// FS holds the migrations.
//
//go:embed *.sql
var FS embed.FS
