package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/httpapi"
)

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// stripped is a JSON text without what differs from run to run: ids of rows and
// times.
func stripped(t testing.TB, text string) string {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	var strip func(any)
	strip = func(value any) {
		switch v := value.(type) {
		case object:
			for name, member := range v {
				if name == "id" || name == "at" || strings.HasSuffix(name, "At") {
					delete(v, name)
				}
				strip(member)
			}
		case []any:
			for _, member := range v {
				strip(member)
			}
		}
	}
	strip(value)
	left, err := json.Marshal(value)
	require.NoError(t, err)
	return string(left)
}

// audited counts what has been written in the audit trail.
func (s *service) audited(t testing.TB) int {
	t.Helper()
	return s.rows(t, "audit_log")
}

func TestLookingAtAnInvite(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann := s.newLandlord(t)
	ann.patch("/me", object{"fullName": "Ann Example"}).ok(http.StatusOK)
	flat := idOf(ann.created("/units", object{"name": "Flat 3"}))
	ann.post("/tenants/invite", kay(object{"unitId": flat})).ok(http.StatusCreated)
	path := "/invites/" + mail.last(t, 1).Token
	before := s.audited(t)
	for _, c := range []client{s.nobody(t), s.newPerson(t, "kim@example.com"), s.newPerson(t, "eve@example.com"), ann} {
		for range 2 {
			a := c.get(path).ok(http.StatusOK)
			require.JSONEq(t, `{"landlordName": "Ann Example", "unitLabel": "Flat 3", "email": "k***@example.com", "state": "PENDING"}`, stripped(t, a.text))
			require.NotContains(t, a.text, "kim")
		}
	}
	require.Equal(t, before, s.audited(t), "looking changes nothing")
	for _, token := range []string{"x", noSuchRow, strings.Repeat("A", 43), strings.Repeat("A", 5000), "%00", "%ff", mail.letters()[0].Token + "A"} {
		s.nobody(t).get("/invites/"+token).refused(http.StatusNotFound, "invite_unknown")
	}
	s.nobody(t).get("/invites/x?colour=red").refused(http.StatusBadRequest, "invalid_request", "?colour")
	s.nobody(t).post(path+"/claim", nil).refused(http.StatusUnauthorized, "token_missing")
	require.Zero(t, s.rows(t, "tenants where user_id is not null"))
	logged.RequireWithout(t, mail.letters()[0].Token)
}

func TestPublicRateLimit(t *testing.T) {
	t.Parallel()
	s, _ := serveInvites(t, func(c *httpapi.Config) { c.RatePerMinute = 3 })
	nobody := s.nobody(t)
	for range 3 {
		nobody.get("/invites/x").refused(http.StatusNotFound, "invite_unknown")
	}
	a := nobody.get("/invites/y").refused(http.StatusTooManyRequests, "rate_limited")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	s.newLandlord(t).get("/me").ok(http.StatusOK) // counted apart
}

func TestClaim(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann := s.newLandlord(t)
	kim, eve := s.newPerson(t, "Kim@Example.com"), s.newPerson(t, "eve@example.com")
	anonymous := s.newPerson(t, "")
	invite := ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated).header.Get("Location")
	path := "/invites/" + mail.last(t, 1).Token
	unclaimed := func() {
		t.Helper()
		require.Zero(t, s.rows(t, "tenants where user_id is not null"))
		require.Zero(t, s.rows(t, "tenant_invites where claimed_at is not null"))
	}

	for _, wrong := range []client{eve, anonymous, ann} {
		a := wrong.post(path+"/claim", nil).refused(http.StatusForbidden, "wrong_account")
		require.Contains(t, a.body["detail"], "k***@example.com")
		require.NotContains(t, a.text, "kim")
	}
	kim.post("/invites/"+strings.Repeat("A", 43)+"/claim", nil).refused(http.StatusNotFound, "invite_unknown")
	s.Exec(t, "update app.tenant_invites set expires_at = now() - interval '1 second'")
	for _, c := range []client{kim, eve} {
		c.post(path+"/claim", nil).refused(http.StatusConflict, "invite_expired")
	}
	ann.post(invite+"/resend", nil).ok(http.StatusOK)
	kim.post(path+"/claim", nil).refused(http.StatusNotFound, "invite_unknown")
	path = "/invites/" + mail.last(t, 2).Token
	ann.post(invite+"/revoke", nil).ok(http.StatusOK)
	for _, c := range []client{kim, eve} {
		c.post(path+"/claim", nil).refused(http.StatusConflict, "invite_revoked")
	}
	unclaimed()

	invite = ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated).header.Get("Location")
	path = "/invites/" + mail.last(t, 3).Token
	require.Equal(t, "CLAIMED", kim.post(path+"/claim", nil).ok(http.StatusOK).body["state"])
	var login string
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select user_id::text from app.tenants").Scan(&login))
	require.Equal(t, kim.id.String(), login)
	for _, c := range []client{kim, eve} {
		c.post(path+"/claim", nil).refused(http.StatusConflict, "invite_claimed")
	}
	require.Equal(t, "CLAIMED", ann.get(invite).body["state"])
	require.Equal(t, "CLAIMED", s.nobody(t).get(path).body["state"])

	// the same person under another address of theirs, with the same landlord
	ann.post("/tenants/invite", kay(object{"email": "kk@example.com"})).ok(http.StatusCreated)
	renamed := kim
	renamed.token = accessToken(t, object{"sub": kim.id.String(), "email": "kk@example.com"})
	path = "/invites/" + mail.last(t, 4).Token
	renamed.post(path+"/claim", nil).refused(http.StatusConflict, "already_tenant")
	require.Equal(t, "PENDING", s.nobody(t).get(path).body["state"], "a refusal leaves nothing")
	require.Equal(t, 1, s.rows(t, "tenants where user_id is not null"))
}

func TestUnprovenAddressesClaimNothing(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t, func(c *httpapi.Config) { c.EmailsProven = false })
	s.newLandlord(t).post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	for _, who := range []string{"kim@example.com", "eve@example.com"} {
		s.newPerson(t, who).post("/invites/"+mail.last(t, 1).Token+"/claim", nil).refused(http.StatusForbidden, "email_unproven")
	}
	require.Zero(t, s.rows(t, "tenants where user_id is not null"))
}

// TestClaimsAtOnce: of many claims of one link, by people whom the provider knows
// by the same address, one succeeds.
func TestClaimsAtOnce(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	s.newLandlord(t).post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	people := make([]client, 20)
	for i := range people {
		people[i] = s.newPerson(t, "kim@example.com")
		people[i].get("/me").ok(http.StatusOK)
	}
	answers := make([]answer, len(people))
	var wg sync.WaitGroup
	for i, c := range people {
		wg.Go(func() { answers[i] = c.post("/invites/"+mail.letters()[0].Token+"/claim", nil) })
	}
	wg.Wait()
	var winner string
	for i, a := range answers {
		if a.status == http.StatusOK {
			require.Empty(t, winner, "two have claimed one invite")
			winner = people[i].id.String()
			continue
		}
		a.refused(http.StatusConflict, "invite_claimed")
	}
	var login, claimant string
	require.NoError(t, s.Admin.QueryRow(t.Context(), `select t.user_id::text, i.claimed_by_user_id::text
		from app.tenants t join app.tenant_invites i on i.tenant_id = t.id`).Scan(&login, &claimant))
	require.Equal(t, winner, login)
	require.Equal(t, winner, claimant)
}
