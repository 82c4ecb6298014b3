package mutate

import "strings"

// comparisonTests compare the catalog with the expectations, the quick and likely
// one first. All other tests of the suite are attacks.
var comparisonTests = []string{
	"TestPolicies", "TestGrants", "TestFunctions", "TestRoles", "TestKeys", "TestTriggers", "TestServer", "TestTables",
	"TestOwnerColumn", "TestStatisticsTargets",
}

// attack says where a family's mutants are likely to be noticed.
type attack struct {
	family string // its name begins with this
	// compares is the comparison that should know it; none knows sources.
	compares string
	// tests are attacks in the order in which they are tried.
	tests []string
	// otherwise is why it does no harm when no attack notices: what still holds.
	otherwise string
}

const (
	anotherLayer = "another layer decides alike: the persona's policy behind the boundary, the boundary behind the policy, the column grants behind both"
	samePeople   = "rows are the caller's own by every policy, whatever persona asks, and without a grant nobody asks"
	noUsage      = "the role has no USAGE on the schema or may not become a persona, so the right opens nothing by itself"
	noCaller     = "EXECUTE, USAGE or the caller's identity is still missing"
	noTemporary  = "without temporary objects nobody can put a name in its way"
	onlyPlans    = "it widens what a mistake elsewhere could do, and shows nothing by itself"
)

// attacks are in the order in which a family is looked up.
var attacks = []attack{
	{"policy dropped", "TestPolicies", []string{"TestWriteOwn", "TestPlansAreNobodys", "TestPeopleSee", "TestInvites", "TestTenantsTickets", "TestLayers", "TestFunctionsWithForeignIDs"}, anotherLayer},
	{"policy widened", "TestPolicies", []string{"TestLayers", "TestPeopleSee"}, samePeople},
	{"policy added", "TestPolicies", []string{"TestLayers", "TestPeopleSee", "TestRead"}, anotherLayer},
	{"USING made true", "TestPolicies", []string{"TestLayers", "TestPeopleSee", "TestInvites", "TestTenantsTickets"}, anotherLayer},
	{"WITH CHECK made true", "TestPolicies", []string{"TestLayers", "TestInvites", "TestTenantsTickets"}, anotherLayer},
	{"boundary made permissive", "TestPolicies", []string{"TestLayers"}, anotherLayer},
	{"condition dropped", "TestPolicies", []string{"TestPeopleSee", "TestInvites", "TestTenantsTickets", "TestLayers"}, anotherLayer},
	{"column swapped", "TestPolicies", []string{"TestPlansAreNobodys", "TestPeopleSee", "TestInvites", "TestTenantsTickets", "TestLayers"}, anotherLayer},
	{"FORCE removed", "TestTables", []string{"TestRead", "TestLayers"}, "nobody but the owner is bound by it"},
	{"row security disabled", "TestTables", []string{"TestRead", "TestLayers"}, noCaller},
	{"table right", "TestGrants", []string{"TestPeopleChangeNothingElse", "TestDefinitions", "TestRead", "TestWrite", "TestLayers"}, noUsage},
	{"column right", "TestGrants", []string{"TestPeopleChangeNothingElse", "TestLayers", "TestRead", "TestWrite"}, anotherLayer},
	{"grant option", "TestGrants", []string{"TestDefinitions"}, noUsage},
	{"schema opened", "TestRoles", []string{"TestDefinitions", "TestRead"}, noUsage},
	{"sequence opened", "TestGrants", []string{"TestDefinitions"}, noUsage},
	{"table given away", "TestTables", []string{"TestRead", "TestWrite", "TestDefinitions"}, noUsage},
	{"temporary objects", "TestServer", []string{"TestDefinitions"}, noCaller},
	{"new schemas", "TestServer", []string{"TestDefinitions"}, noCaller},
	{"default privileges", "TestServer", []string{"TestDefinitions"}, onlyPlans},
	{"EXECUTE granted", "TestFunctions", []string{"TestFunctionsWithForeignIDs", "TestDefinitions"}, noCaller},
	{"search_path", "TestFunctions", []string{"TestTemporaryTypes"}, noTemporary},
	{"made definer", "TestFunctions", []string{"TestGuards", "TestTenantsTickets", "TestFunctionsWithForeignIDs"}, onlyPlans},
	{"definer with another owner", "TestFunctions", []string{"TestTenantsTickets", "TestFunctionsWithForeignIDs", "TestPeopleSee", "TestTemporaryTypes"}, onlyPlans},
	{"made IMMUTABLE", "TestFunctions", []string{"TestPlansAreNobodys", "TestIdentity", "TestSealIsNotForOthers"}, "policies call it in a sub-select, which no plan folds"},
	{"made LEAKPROOF", "TestFunctions", []string{"TestErrorsTellNothing"}, onlyPlans},
	{"made PARALLEL SAFE", "TestFunctions", []string{"TestRead"}, onlyPlans},
	{"shared function", "TestServer", []string{"TestDefinitions"}, onlyPlans},
	{"seal check", "", []string{"TestIdentity", "TestOddSettings", "TestSealIsNotForOthers"}, ""},
	{"guard", "", []string{"TestGuards", "TestTenantsTickets", "TestPeopleChangeNothingElse"}, ""},
	{"look-up", "", []string{"TestLookUps", "TestTrailKeepsNoSecret", "TestPeopleSee", "TestInvites", "TestForeignTextsThroughHTTP", "TestOwnIDsThroughHTTP"}, ""},
	{"removal", "", []string{"TestRemovals", "TestFunctionsWithForeignIDs", "TestTenantsTickets", "TestOwnIDsThroughHTTP"}, ""},
	{"reference without", "TestKeys", []string{"TestForeignKeys"}, anotherLayer},
	{"reference", "TestKeys", []string{"TestForeignKeys", "TestFunctionsWithForeignIDs"}, onlyPlans},
	{"key without", "TestKeys", []string{"TestUniqueKeys", "TestWriteOwn"}, "nobody may choose the values of the key"},
	{"owner", "TestOwnerColumn", []string{"TestWriteOwn"}, "the key's or the policy's condition refuses a row without owner"},
	{"trigger", "TestTriggers", []string{"TestGuards", "TestTenantsTickets", "TestWriteOwn", "TestPeopleSee", "TestForeignTextsThroughHTTP"}, onlyPlans},
	{"statistics", "TestStatisticsTargets", []string{"TestEstimates", "TestEstimatesOfValues", "TestStatisticsViews"}, "the attack asks about few columns"},
	{"view of", "TestTables", []string{"TestDefinitions", "TestRead"}, "the attacks know tables only"},
	{"copy of", "TestTables", []string{"TestDefinitions"}, "the attacks know tables only"},
	{"thing added", "TestTables", []string{"TestDefinitions"}, onlyPlans},
	{"role made", "TestRoles", []string{"TestRoleEscape", "TestRead", "TestDefinitions"}, noUsage},
	{"membership", "TestRoles", []string{"TestRoleEscape", "TestDefinitions", "TestRead"}, noUsage},
	{"setting of", "TestServer", []string{"TestDefinitions"}, "it stops accidents, not attackers"},
}

func attackOn(m mutant) attack {
	for _, a := range attacks {
		if strings.HasPrefix(m.family, a.family) {
			return a
		}
	}
	return attack{}
}

// narrowed are the tables that an attack on a mutant is confined to: the one that
// the mutant is in, or two of the most used. Guards
// serve any table.
func narrowed(m mutant) string {
	if strings.HasPrefix(m.family, "guard") {
		return ""
	}
	if strings.HasPrefix(m.relation, "app.") {
		return m.relation
	}
	return "app.tickets,app.units"
}
