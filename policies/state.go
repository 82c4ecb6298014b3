package policies

import _ "embed" // for the directive

//go:embed state.json
var desired []byte

// State is the query for the security state of a database; see the file.
func State() string { return read("state.sql") }

// Desired is what State answers on a database that this build has migrated, as
// JSON; `make generate` writes it.
func Desired() []byte { return desired }
