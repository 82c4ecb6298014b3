package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
)

// who is all that the first step asks for.
var who = object{"fullName": "Ann Example", "country": "NL", "timeZone": "Europe/Amsterdam", "currency": "EUR"}

func TestOnboarding(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann := s.newcomer(t)
	at := func(step string) answer {
		t.Helper()
		a := ann.get("/onboarding").ok(http.StatusOK)
		require.Equal(t, step, a.body["step"])
		require.Equal(t, "/onboarding/"+step, a.body["path"])
		require.Equal(t, step == "company", a.body["required"])
		require.Equal(t, step == "done", a.body["completed"])
		passed := true
		for _, one := range a.body["steps"].([]any) {
			name := one.(object)["step"]
			passed = passed && (name != step || step == "done")
			require.Equal(t, passed, one.(object)["passed"], name)
			require.Equal(t, "/onboarding/"+name.(string), one.(object)["path"])
		}
		require.Len(t, a.body["steps"], 6)
		return a
	}

	require.Equal(t, `"1"`, at("company").header.Get("ETag"))
	ann.patch("/onboarding", object{"fullName": "Ann", "companyName": "Canal House Rentals"}).ok(http.StatusOK)
	require.Equal(t, "Ann", at("company").body["fullName"])
	for _, step := range []string{"size", "units", "done"} {
		ann.patch("/onboarding", object{"step": step}).refused(http.StatusBadRequest, "invalid_request", "#/country", "#/timeZone", "#/currency")
	}
	at("company")

	said := ann.patch("/onboarding", who).ok(http.StatusOK)
	require.Equal(t, at("size").text, said.text)
	require.Subset(t, said.body, who)
	require.Equal(t, "Canal House Rentals", said.body["companyName"])
	require.Subset(t, ann.get("/me").ok(http.StatusOK).body, who)

	// on another device, and what is said about a step does it
	phone := ann
	phone.token = accessToken(t, object{"sub": ann.id.String(), "email": "ann@example.com"})
	phone.patch("/onboarding", object{"plannedUnits": 3}).ok(http.StatusOK)
	units := at("units")
	ann.patch("/onboarding", object{"step": "tenants"}, "If-Match: "+said.header.Get("ETag")).refused(http.StatusPreconditionFailed, "version_changed")
	ann.patch("/onboarding", object{"step": "tenants"}, "If-Match: "+units.header.Get("ETag")).ok(http.StatusOK)

	// never back, and nothing that was said is lost
	for _, step := range []string{"company", "size", "units", "tenants"} {
		ann.patch("/onboarding", object{"step": step}).ok(http.StatusOK)
		require.EqualValues(t, 3, at("tenants").body["plannedUnits"])
	}

	// what there is comes with it
	require.Equal(t, []any{0.0, 0.0, 0.0}, counted(at("tenants")))
	ann.created("/units", object{"name": "Flat 1"})
	ann.created("/units", object{"name": "Flat 2", "archived": true})
	ann.created("/tenants", object{"firstName": "Jo", "lastName": "Jansen"})
	ann.created("/tenants/invite", kay(object{}))
	require.Equal(t, []any{1.0, 2.0, 1.0}, counted(at("tenants")))
	s.newLandlord(t).created("/units", object{"name": "Flat 1"})
	require.Equal(t, []any{1.0, 2.0, 1.0}, counted(at("tenants")))

	ann.patch("/onboarding", object{"step": "done"}).ok(http.StatusOK)
	at("done")
	ann.patch("/onboarding", object{"fullName": nil, "step": "invites"}).ok(http.StatusOK)
	require.NotContains(t, at("done").body, "fullName")
}

func counted(a answer) []any { return []any{a.body["units"], a.body["tenants"], a.body["invites"]} }

func TestOnboardingInput(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann := s.newcomer(t)
	for body, blamed := range map[string]string{
		`{"step":"paint"}`:                        "#/step",
		`{"step":null}`:                           "#/step",
		`{"step":2}`:                              "#/step",
		`{"fullName":" "}`:                        "#/fullName",
		`{"timeZone":"Local"}`:                    "#/timeZone",
		`{"timeZone":"posix/Europe/Amsterdam"}`:   "#/timeZone",
		`{"timeZone":"Europe/Atlantis"}`:          "#/timeZone",
		`{"timeZone":"Europe"}`:                   "#/timeZone",
		`{"timeZone":"../zoneinfo/Europe/Paris"}`: "#/timeZone",
		`{"currency":"DEM"}`:                      "#/currency", // no more
		`{"currency":"XAU"}`:                      "#/currency", // gold
		`{"currency":"euro"}`:                     "#/currency",
		`{"country":"nl"}`:                        "#/country",
		`{"locale":"en GB"}`:                      "#/locale",
		`{"plannedUnits":0}`:                      "#/plannedUnits",
		`{"plannedUnits":100001}`:                 "#/plannedUnits",
		`{"plannedUnits":1.5}`:                    "#/plannedUnits",
		`{"plannedUnits":"3"}`:                    "#/plannedUnits",
		`{"completed":true}`:                      "#/completed",
		`{"signedUpAs":"TENANT"}`:                 "#/signedUpAs",
		`{"onboardingStep":6}`:                    "#/onboardingStep",
		`{"step":"company","step":"done"}`:        "#/step",
		`[]`:                                      "#",
	} {
		ann.patch("/onboarding", body).refused(http.StatusBadRequest, "invalid_request", blamed)
	}
	for _, zone := range []string{"UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "Asia/Kolkata"} {
		ann.patch("/onboarding", object{"timeZone": zone}).ok(http.StatusOK)
	}
	require.Equal(t, "company", ann.get("/onboarding").ok(http.StatusOK).body["step"])
}

// askedNobody are the first segments of the paths that need no onboarding.
var askedNobody = []string{"me", "account", "onboarding", "portal", "invites", "security", "support", "support-grants", "support-accesses"}

// TestOnboardingGate calls every operation of the document as somebody who has not said
// who they are, and as somebody who has and no more.
func TestOnboardingGate(t *testing.T) {
	t.Parallel()
	s := serve(t)
	gated := 0
	for request, operation := range s.operations(t) {
		method, path, _ := strings.Cut(request, " ")
		path = strings.NewReplacer("{id}", noSuchRow, "{grantId}", noSuchRow, "{resultId}", noSuchRow, "{token}", "x").Replace(path)
		t.Run(operation, func(t *testing.T) {
			first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			asked := !slices.Contains(askedNobody, first) || path == "/onboarding/sample-data" // which makes rows
			c := s.newcomer(t)
			var body any
			if method != http.MethodGet && method != http.MethodDelete {
				body = object{}
			}
			a := c.send(method, path, body)
			if !asked {
				require.NotEqual(t, "onboarding_required", a.body["code"], a.text)
				return
			}
			a.refused(http.StatusForbidden, "onboarding_required")
			require.Equal(t, "/onboarding/company", a.body["next"])
			c.patch("/onboarding", who).ok(http.StatusOK)
			require.NotEqual(t, "onboarding_required", c.send(method, path, body).body["code"])
		})
		if first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); !slices.Contains(askedNobody, first) {
			gated++
		}
	}
	require.Greater(t, gated, 30)
}

// TestTenantsAreNotAsked has tenants read a landlord's empty books, and asks them who
// they are when they want to write there.
func TestTenantsAreNotAsked(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := s.Landlord(t, "bob")
	signedUp := s.newcomer(t)
	s.Exec(t, "insert into app.users (id, signed_up_as) values ($1, 'TENANT')", signedUp.id)
	for name, c := range map[string]client{"somebody's tenant": s.caller(t, l.Tenant.Identity), "signed up as one": signedUp} {
		t.Run(name, func(t *testing.T) {
			c := c.as(t)
			require.Empty(t, c.get("/units").ok(http.StatusOK).list("units"))
			c.get("/portal/tickets").ok(http.StatusOK)
			c.post("/units", object{"name": "Flat"}).refused(http.StatusForbidden, "onboarding_required")
			c.patch("/onboarding", who).ok(http.StatusOK)
			c.post("/units", object{"name": "Flat"}).ok(http.StatusCreated)
		})
	}
	require.Equal(t, "TENANT", signedUp.get("/onboarding").ok(http.StatusOK).body["signedUpAs"])

	// who owns something is a landlord, whoever's tenant they are
	both := s.Person(t, "both")
	s.Exec(t, "insert into app.tenants (owner_user_id, user_id, first_name, last_name, created_by) values ($1, $2, 'B', 'B', $1)", l.UserID, both.UserID)
	s.Exec(t, "insert into app.units (owner_user_id, name, created_by) values ($1, 'Flat', $1)", both.UserID)
	s.caller(t, both.Identity).get("/units").refused(http.StatusForbidden, "onboarding_required")
}

// TestOnboardingInstances has one server let in whom another has taken on.
func TestOnboardingInstances(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	one, two := serveOn(t, d, d.DB), serveOn(t, d, d.Open(t, db.Config{}))
	c := one.newcomer(t)
	elsewhere := c
	elsewhere.url = two.url
	for _, c := range []client{c, elsewhere} {
		c.get("/units").refused(http.StatusForbidden, "onboarding_required")
	}
	c.patch("/onboarding", who).ok(http.StatusOK)
	for _, c := range []client{c, elsewhere} {
		c.get("/units").ok(http.StatusOK)
	}
}

// TestSecondFactor has a landlord ask for a second factor, and tries with and without
// one what is destroyed, opened to others, or asks for less.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s, another := serveOn(t, d, d.DB), serveOn(t, d, d.Open(t, db.Config{}))
	plain := s.newLandlord(t)
	strong := plain
	strong.token = accessToken(t, object{"sub": plain.id.String(), "email": "ann@example.com", "aal": "aal2"})
	elsewhere := plain
	elsewhere.url = another.url

	unit := plain.created("/units", object{"name": "Flat"})
	elsewhere.delete("/units/"+noSuchRow).refused(http.StatusForbidden, "forbidden")
	plain.patch("/me", object{"requireMfa": true}).refused(http.StatusForbidden, "mfa_required")
	require.Equal(t, false, plain.get("/me").ok(http.StatusOK).body["requireMfa"])
	strong.patch("/me", object{"requireMfa": true}).ok(http.StatusOK)

	for _, c := range []client{plain, elsewhere} { // at once, everywhere
		for _, request := range []string{"DELETE " + unit, "DELETE /units/" + noSuchRow, "DELETE /contractors/" + noSuchRow} {
			method, path, _ := strings.Cut(request, " ")
			c.send(method, path, nil).refused(http.StatusForbidden, "mfa_required")
		}
		c.post("/support-grants", object{"areas": []string{"tickets"}, "hours": 1, "reason": "A look"}).refused(http.StatusForbidden, "mfa_required")
		c.patch("/me", object{"requireMfa": false}).refused(http.StatusForbidden, "mfa_required")
		c.patch("/me", object{"fullName": "Ann"}).ok(http.StatusOK)
		c.patch(unit, object{"city": "Delft"}).ok(http.StatusOK)
		c.get(unit).ok(http.StatusOK)
	}
	require.Zero(t, s.rows(t, "support_grants"))
	other := s.newLandlord(t)
	other.delete(other.created("/units", object{"name": "Flat"})).ok(http.StatusNoContent)

	strong.post("/support-grants", object{"areas": []string{"tickets"}, "hours": 1, "reason": "A look"}).ok(http.StatusCreated)
	strong.delete(unit).ok(http.StatusNoContent)
	strong.patch("/me", object{"requireMfa": false}).ok(http.StatusOK)
	plain.delete(plain.created("/units", object{"name": "Flat"})).ok(http.StatusNoContent)
}

// TestSecondFactorIsAskedForEverywhere wants every operation that deletes to ask for the
// second factor: the refusal comes before anything else that the database says.
func TestSecondFactorIsAskedForEverywhere(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.newLandlord(t)
	strong := c
	strong.token = accessToken(t, object{"sub": c.id.String(), "email": "ann@example.com", "aal": "aal2"})
	strong.patch("/me", object{"requireMfa": true}).ok(http.StatusOK)
	tried := 0
	for request := range s.operations(t) {
		method, path, _ := strings.Cut(request, " ")
		if method != http.MethodDelete {
			continue
		}
		path = strings.ReplaceAll(path, "{id}", noSuchRow)
		c.send(method, path, nil).refused(http.StatusForbidden, "mfa_required")
		tried++
	}
	require.GreaterOrEqual(t, tried, 8)
}
