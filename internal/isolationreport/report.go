// Package isolationreport tells landlords how they are kept apart and how that was
// checked: what the policies are, whether the live database is as they say, what
// the isolation suite found when this build was made, and what the last probe from
// outside found. It signs what it tells.
//
// The report is about the system and the same for everybody: nothing in it comes
// from a landlord's rows. What it cannot know it says so; it never guesses.
package isolationreport

import "time"

// Report is what is known of the walls between landlords.
type Report struct {
	GeneratedAt time.Time `json:"generatedAt" doc:"When the database was looked at; a report is kept for a minute"`
	Status      Status    `json:"status" enum:"held,incomplete,failed" doc:"held: everything was checked and found right. incomplete: nothing was found wrong, and not everything is known. failed: something was found wrong."`
	Verdict     string    `json:"verdict" example:"Nothing was found wrong, but not everything is known. This build carries no result of the isolation suite." doc:"The same in words, with the reasons"`
	Version     string    `json:"version" example:"4f2a9c01b7de" doc:"The build that answers"`
	Policies    Policies  `json:"policies"`
	Checks      []Check   `json:"checks" nullable:"false" doc:"What was looked for in the live database"`
	Suite       Suite     `json:"suite"`
	Probe       Probe     `json:"probe"`
}

// Status is a report's outcome in one word.
type Status string

// The outcomes.
const (
	Held       Status = "held"
	Incomplete Status = "incomplete"
	Failed     Status = "failed"
)

// Policies is what there is of rules in the live database.
type Policies struct {
	Read       bool           `json:"read" doc:"Whether they could be read; if not, everything here is empty"`
	Tables     int            `json:"tables" example:"18"`
	Policies   int            `json:"policies" example:"97" doc:"Each lets somebody do something with some rows of a table"`
	Boundaries int            `json:"boundaries" example:"16" doc:"Policies that must hold besides, for everybody, whatever else is allowed"`
	ByPersona  []PersonaCount `json:"byPersona" nullable:"false"`
	ByTable    []Table        `json:"byTable" nullable:"false"`
	Functions  []Function     `json:"functions" nullable:"false" doc:"Narrow functions that use the rights of another role than the caller's"`
}

// PersonaCount is how many policies there are for a persona, by command. A policy
// for all commands counts in each.
type PersonaCount struct {
	Persona string `json:"persona" example:"rowhouse_landlord" doc:"The database role that a request acts as"`
	Who     string `json:"who" example:"you"`
	Read    int    `json:"read" example:"15"`
	Add     int    `json:"add" example:"11"`
	Change  int    `json:"change" example:"9"`
	Delete  int    `json:"delete" example:"0"`
}

// Table is a table and who may do what with it.
type Table struct {
	Table       string   `json:"table" example:"app.units"`
	RowSecurity bool     `json:"rowSecurity" doc:"Whether the policies bind everybody, whoever the table belongs to included"`
	Policies    int      `json:"policies" example:"7"`
	Boundaries  int      `json:"boundaries" example:"1"`
	InWords     []string `json:"inWords" nullable:"false" example:"[\"Only you can add, change and delete your units.\"]" doc:"Read off the live database"`
}

// Function is a function that runs with the rights of a role of its own.
type Function struct {
	Name    string   `json:"name" example:"app.delete_unit"`
	RunsAs  string   `json:"runsAs" example:"rowhouse_remover"`
	Callers []string `json:"callers" nullable:"false" example:"[\"rowhouse_landlord\"]"`
}

// CheckStatus is what came of a check.
type CheckStatus string

// The outcomes of checks.
const (
	CheckPassed  CheckStatus = "passed"
	CheckWarning CheckStatus = "warning"
	CheckFailed  CheckStatus = "failed"
	CheckNotRun  CheckStatus = "not_run"
)

// Check is something that was looked for in the live database.
type Check struct {
	Name     string      `json:"name" example:"row_security"`
	Meaning  string      `json:"meaning" example:"Row security is on for every table, and binds whoever the table belongs to as well."`
	Status   CheckStatus `json:"status" enum:"passed,warning,failed,not_run" doc:"warning: what is missing is hardening, and not the wall. not_run: the database did not answer."`
	Findings int         `json:"findings" example:"0" doc:"How many things are not as they should be. The operator's log names them; this report does not, for whoever would use them."`
	Rules    []string    `json:"rules" nullable:"false" example:"[]" doc:"The rules that were broken, as \"rowhouse policy lint\" numbers them"`
}

// Suite is what the isolation suite found on the code of this build.
type Suite struct {
	Status  SuiteStatus  `json:"status" enum:"passed,failed,other_build,absent" doc:"other_build: it passed on another commit than this build's, or on one with changes"`
	InWords string       `json:"inWords" example:"This build carries no result of the isolation suite."`
	Result  *SuiteResult `json:"result,omitempty"`
	Mutants *Mutants     `json:"mutants,omitempty" doc:"Whether the suite itself is awake, if that was tried on the same commit: the database was weakened in one place at a time"`
}

// SuiteStatus is what is known of the suite.
type SuiteStatus string

// What may be known of the suite.
const (
	SuitePassed     SuiteStatus = "passed"
	SuiteFailed     SuiteStatus = "failed"
	SuiteOtherBuild SuiteStatus = "other_build"
	SuiteAbsent     SuiteStatus = "absent"
)

// SuiteResult is what came of running the suite; `make test` and `make isolation`
// write it.
type SuiteResult struct {
	Commit     string    `json:"commit" example:"4f2a9c01b7de53a1c0b9e8d7f6a5b4c3d2e1f009"`
	Modified   bool      `json:"modified" doc:"Whether there were changes that are in no commit"`
	FinishedAt time.Time `json:"finishedAt"`
	Go         string    `json:"go" example:"go1.26.0"`
	Postgres   string    `json:"postgres" example:"15.20"`
	Passed     int       `json:"passed" example:"61" doc:"Tests that passed"`
	Failed     int       `json:"failed" example:"0"`
	Skipped    int       `json:"skipped" example:"0"`
}

// Mutants is what came of weakening the database on purpose; `make mutate` and
// `make mutate-sample` write it.
type Mutants struct {
	Commit   string `json:"commit" example:"4f2a9c01b7de53a1c0b9e8d7f6a5b4c3d2e1f009"`
	Modified bool   `json:"modified" doc:"Whether there were changes that are in no commit"`
	All      int    `json:"all" example:"2500" doc:"Places in which it can be weakened"`
	Judged   int    `json:"judged" example:"320" doc:"How many of them were tried"`
	Killed   int    `json:"killed" example:"320" doc:"How many of those made a test fail, as they should"`
	Survived int    `json:"survived" example:"0"`
}

// Probe is what the last probe of a running server from outside found.
type Probe struct {
	Status  ProbeStatus  `json:"status" enum:"held,crossed,incomplete,stale,absent" doc:"stale: it is too long ago, and found nothing"`
	InWords string       `json:"inWords" example:"No report of a probe from outside is known to this server."`
	Result  *ProbeResult `json:"result,omitempty"`
}

// ProbeStatus is what is known of the last probe.
type ProbeStatus string

// What may be known of the last probe.
const (
	ProbeHeld       ProbeStatus = "held"
	ProbeCrossed    ProbeStatus = "crossed"
	ProbeIncomplete ProbeStatus = "incomplete"
	ProbeStale      ProbeStatus = "stale"
	ProbeAbsent     ProbeStatus = "absent"
)

// ProbeResult is the outcome of a run of `rowhouse isolation`.
type ProbeResult struct {
	Target     string    `json:"target" example:"https://rowhouse.example.com" doc:"The server that was probed"`
	Version    string    `json:"version" example:"4f2a9c01b7de" doc:"Of the build that answered there"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
	Requests   int       `json:"requests" example:"1868"`
	Crossings  int       `json:"crossings" example:"0" doc:"Answers that held what is another landlord's"`
	Held       int       `json:"operationsHeld" example:"71"`
	Crossed    int       `json:"operationsCrossed" example:"0"`
	NotCovered int       `json:"operationsNotCovered" example:"0"`
}
