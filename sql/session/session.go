// Package session holds the statements with which internal/db opens and ends a
// transaction on behalf of a caller.
package session

import _ "embed"

// Settings becomes a persona and says who the caller is, for the transaction
// alone.
//
//go:embed settings.sql
var Settings string

// DemandSecondFactor fails, with SQLSTATE RH403, if the caller wants a second factor for
// what the transaction is for and has come without one. It follows Settings.
//
//go:embed demand_second_factor.sql
var DemandSecondFactor string

// Reset puts a connection back to what it was when it was opened. It is several
// statements, for the simple protocol, and may follow a COMMIT in one message.
//
//go:embed reset.sql
var Reset string
