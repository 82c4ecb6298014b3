package isolation

// channel is a way by which a landlord could learn of another without reading a
// row of theirs: what somebody looks for who attacks a database of many tenants.
type channel struct {
	name string
	// tests attack it; those of other packages stand after the folder and a colon.
	tests []string
	// because says why it tells nothing, where a test cannot show all of it.
	because string
}

// channels are all that are known. TestChannels wants each test to be there.
var channels = []channel{
	{name: "unique keys", tests: []string{"TestKeys", "TestUniqueKeys"}},
	{name: "foreign keys, and the locks that they take", tests: []string{"TestKeys", "TestForeignKeys", "TestRowLocks"}},
	{
		name: "texts of errors", tests: []string{"TestForeignIDsThroughHTTP", "TestFunctionsWithForeignIDs", "TestForeignTextsThroughHTTP"},
		because: "what a caller is told comes from one place, which has no text of Postgres in it (internal/httpapi/problem.go)",
	},
	{name: "errors in WHERE, and functions that are not leakproof", tests: []string{"TestErrorsTellNothing", "TestFunctions"}},
	{name: "counts, totals, ticket numbers", tests: []string{"TestOthersWorkShowsNowhere", "TestTicketNumbers"}},
	{name: "the order of a list by values of another's", tests: []string{"TestOthersWorkShowsNowhere"}},
	{
		name: "statistics of the planner", tests: []string{"TestStatisticsTargets", "TestEstimates", "TestEstimatesOfValues", "TestStatisticsViews"},
		because: "what is left is the number of rows of all landlords together (pg_class.reltuples), which nobody else's row can be told from",
	},
	{name: "plans and results that a connection remembers", tests: []string{"TestPlansAreNobodys", "TestNothingStays"}},
	{name: "sequences", tests: []string{"TestTables", "TestDefinitions"}},
	{name: "advisory locks, large objects, temporary tables", tests: []string{"TestServer", "TestDefinitions"}},
	{name: "LISTEN and NOTIFY", tests: []string{"TestNotifications"}},
	{name: "ETags", tests: []string{"TestForeignIDsThroughHTTP", "TestOthersWorkShowsNowhere"}},
	{name: "idempotency keys", tests: []string{"TestForeignTextsThroughHTTP"}},
	{
		name: "headers of the rate limit", tests: []string{"TestRateIsOnesOwn"},
		because: "without a sign-in the network is counted, and who shares an address shares its bound: it tells how much was asked, not by whom or for what",
	},
	{
		name: "logs", tests: []string{"TestOwnIDsThroughHTTP", "TestForeignIDsThroughHTTP", "TestForeignTextsThroughHTTP"},
		because: "every request of these tests has its lines of the log searched for texts of all landlords",
	},
	{name: "metrics and their labels", tests: []string{"TestMeasured"}},
	{name: "places of files", tests: []string{"TestFilesOfOthers", "internal/storage: TestDiskStaysInside", "internal/storage: TestSupabaseActsAsTheUser"}},
	{name: "caches", tests: []string{"TestRemembered", "TestOthersWorkShowsNowhere"}},
	{
		name: "jobs and mails", tests: []string{"TestQueue", "TestQueueIsShut", "internal/jobs: TestWorkIsTheLandlords", "internal/jobs: TestQueueHoldsIDsAlone"},
		because: "how long another landlord's jobs take can be told from how long one's own wait, which a fair share bounds (internal/jobs)",
	},
	{name: "time", because: "BenchmarkTiming compares foreign with random ids and reports; a bound on a clock would fail for reasons of its own. " +
		"A foreign row is not found by an index that is led by the owner, and not read and then hidden"},
}

// schemas are all that are not Postgres's own.
var schemas = []string{"app", "app_private", "public", "river"} // river is the job queue: queue_test.go

// extensions are all that may be there.
var extensions = []string{"plpgsql"}

// notified are the channels of NOTIFY, which everybody hears who can log in, and
// what is said there.
var notified = map[string]string{"rowhouse_roles": "the id of a user whose roles have changed"}

// remembered are the packages of the process that serves requests that can keep something from one to
// another, and by what they find it again.
var remembered = map[string]string{
	"rowhouse/internal/accounts":         "nothing; it counts while it reconciles",
	"rowhouse/internal/app":              "nothing; it starts and stops the others",
	"rowhouse/internal/auth":             "verified tokens by a digest of the whole token; keys of the provider by their id",
	"rowhouse/internal/authhooks":        "calls of the provider's hooks by their ids, mails by Message-IDs, counts of forged calls by network",
	"rowhouse/internal/contractorsearch": "when the provider was asked last; nothing of what was asked",
	"rowhouse/internal/httpapi":          "who has a profile, and who has said who they are, by user",
	"rowhouse/internal/isolationreport":  "the last report, which is the same for everybody",
	"rowhouse/internal/jobs":             "how many jobs a landlord has running, by landlord",
	"rowhouse/internal/mail":             "connections to the mail server; nothing of what was mailed",
	"rowhouse/internal/mailcatcher":      "mails, on developers' machines",
	"rowhouse/internal/localauth":        "nothing; it stands in for the provider on developers' machines",
	"rowhouse/internal/localpg":          "nothing; it starts a server for developers",
	"rowhouse/internal/ratelimit":        "counts of requests by user or network, and of tries by a digest of the account",
	"rowhouse/internal/roles":            "roles by user",
	"rowhouse/internal/web":              "the next tokens of a session by a digest of its last ones, for half a minute; ids of sessions that were signed out",
}

// measured are the packages with metrics, and all that their labels say.
var measured = map[string]string{
	"rowhouse/internal/probe": "outcome: what came of the canaries' operations",
}
