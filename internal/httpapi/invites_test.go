package httpapi_test

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
)

// mailbox shows the mails of invites that wait in the queue, as the worker would send
// them.
type mailbox struct {
	t  testing.TB
	db *dbtest.Database
}

// letter is one, with the token that it would carry.
type letter struct {
	InviteID string // empty when it was renewed, or is gone
	Token    string
}

// letters are all of them, oldest first.
func (m *mailbox) letters() []letter {
	m.t.Helper()
	rows, err := m.db.Admin.Query(m.t.Context(), `select (j.args ->> 'ownerId')::uuid, (j.args ->> 'id')::uuid, coalesce(i.id::text, '')
		from river.river_job j left join app.tenant_invites i on i.mail_id = (j.args ->> 'id')::uuid
		where j.kind = 'invite_mail' order by j.id`)
	require.NoError(m.t, err)
	keys := dbtest.InviteKeys(m.t)
	all := []letter{}
	var owner, mail uuid.UUID
	var invite string
	_, err = pgx.ForEachRow(rows, []any{&owner, &mail, &invite}, func() error {
		token, err := keys.Token(owner, mail, keys.Mint(owner).Key)
		all = append(all, letter{invite, token})
		return err
	})
	require.NoError(m.t, err)
	return all
}

// last returns the newest letter, which must be the nth.
func (m *mailbox) last(t testing.TB, n int) letter {
	t.Helper()
	all := m.letters()
	require.Len(t, all, n)
	return all[n-1]
}

// serveInvites is serve with a mailbox, at a provider that proves addresses.
func serveInvites(t testing.TB, set ...func(*httpapi.Config)) (*service, *mailbox) {
	t.Helper()
	s := serve(t, append([]func(*httpapi.Config){func(c *httpapi.Config) { c.EmailsProven = true }}, set...)...)
	return s, &mailbox{t, s.Database}
}

// newPerson is somebody who has signed in with an address and said who they are.
func (s *service) newPerson(t testing.TB, email string) client {
	t.Helper()
	id := uuid.New()
	s.Exec(t, `insert into app.users (id, email, onboarding_step) values ($1, nullif($2, ''), 2)`, id, email)
	return client{t: t, url: s.url, id: id, token: accessToken(t, object{"sub": id.String(), "email": email})}
}

func (s *service) nobody(t testing.TB) client { return client{t: t, url: s.url} }

// kay is a valid invite, changed by changes.
func kay(changes object) object {
	body := object{"firstName": "Kim", "lastName": "Kay", "email": "kim@example.com"}
	maps.Copy(body, changes)
	return body
}

func idOf(path string) string { return path[len(path)-36:] }

func TestInvite(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann := s.newLandlord(t)
	ann.patch("/me", object{"fullName": "Ann Example", "companyName": "Canal House Rentals"}).ok(http.StatusOK)
	house := ann.created("/properties", object{"name": "Canal House"})
	flat := idOf(ann.created("/units", object{"name": "Flat 3", "propertyId": idOf(house)}))

	a := ann.post("/tenants/invite", kay(object{"firstName": " Kim ", "email": "Kim@Example.com", "unitId": flat})).ok(http.StatusCreated)
	letter := mail.last(t, 1)
	require.Equal(t, "kim@example.com", a.body["email"])
	require.Equal(t, "PENDING", a.body["state"])
	require.Equal(t, `"1"`, a.header.Get("ETag"))
	require.Equal(t, "/api/v1/tenant-invites/"+a.body["inviteId"].(string), a.header.Get("Location"))
	require.NotContains(t, a.text, letter.Token, "the token is in the mail alone")
	require.Len(t, letter.Token, 43)
	require.Equal(t, a.body["inviteId"], letter.InviteID)
	expires, err := time.Parse(time.RFC3339, a.body["expiresAt"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(14*24*time.Hour), expires, time.Hour)

	var first, unit, hashed string
	var tenancies int
	require.NoError(t, s.Admin.QueryRow(t.Context(), `select t.first_name, t.unit_id::text, encode(i.token_hash, 'hex'),
			(select count(*) from app.tenancies y where y.tenant_id = t.id and y.unit_id = t.unit_id and y.start_date = current_date and y.end_date is null)
		from app.tenants t join app.tenant_invites i on i.tenant_id = t.id`).Scan(&first, &unit, &hashed, &tenancies))
	require.Equal(t, "Kim", first)
	require.Equal(t, flat, unit)
	require.Equal(t, sha256Hex(letter.Token), hashed)
	require.Equal(t, 1, tenancies)

	shown := ann.get(a.header.Get("Location")).ok(http.StatusOK)
	require.JSONEq(t, `{"tenantId": "`+a.body["tenantId"].(string)+`", "firstName": "Kim", "lastName": "Kay", "unitId": "`+flat+`",
		"email": "kim@example.com", "landlordName": "Canal House Rentals", "unitLabel": "Flat 3, Canal House",
		"state": "PENDING", "sendCount": 1, "mailState": "QUEUED", "version": 1}`, stripped(t, shown.text))
	logged.RequireWithout(t, letter.Token)
}

func TestInviteAgain(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann := s.newLandlord(t)
	flat := idOf(ann.created("/units", object{"name": "Flat"}))
	attic := idOf(ann.created("/units", object{"name": "Attic"}))
	first := ann.post("/tenants/invite", kay(object{"unitId": flat})).ok(http.StatusCreated)
	old := mail.last(t, 1).Token

	again := ann.post("/tenants/invite", kay(object{"email": "KIM@example.com", "firstName": "Somebody", "unitId": attic})).ok(http.StatusCreated)
	require.Equal(t, first.body["inviteId"], again.body["inviteId"])
	require.Equal(t, first.body["tenantId"], again.body["tenantId"])
	token := mail.last(t, 2).Token
	s.nobody(t).get("/invites/"+old).refused(http.StatusNotFound, "invite_unknown")
	require.Equal(t, "Attic", s.nobody(t).get("/invites/" + token).ok(http.StatusOK).body["unitLabel"])
	shown := ann.get(again.header.Get("Location")).ok(http.StatusOK)
	require.EqualValues(t, 2, shown.body["sendCount"])
	require.Equal(t, "Kim", shown.body["firstName"], "who is in the book stays as they are")
	require.Equal(t, attic, shown.body["unitId"])
	require.Equal(t, 2, s.rows(t, "tenancies"))

	// without a unit nothing moves, and a tenancy that has not ended is not doubled,
	// whether it has begun or not
	s.Exec(t, "update app.tenancies set start_date = current_date + case when unit_id = $1 then 30 else -30 end", attic)
	ann.post("/tenants/invite", kay(object{"unitId": flat})).ok(http.StatusCreated)
	ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	ann.post("/tenants/invite", kay(object{"unitId": attic})).ok(http.StatusCreated)
	require.Equal(t, 2, s.rows(t, "tenancies"))
	require.Equal(t, attic, ann.get(again.header.Get("Location")).body["unitId"])

	// one that expired is renewed, one who was archived comes back
	s.Exec(t, "update app.tenant_invites set expires_at = now() - interval '1 day'")
	s.Exec(t, "update app.tenants set archived_at = now()")
	require.Equal(t, "EXPIRED", ann.get(again.header.Get("Location")).body["state"])
	ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	require.Equal(t, "PENDING", ann.get(again.header.Get("Location")).body["state"])
	var archived int
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select count(*) from app.tenants where archived").Scan(&archived))
	require.Zero(t, archived)

	// a tenancy that was cancelled is none, and from the same day it is the same one again
	s.Exec(t, "update app.tenancies set cancelled_at = now(), start_date = current_date")
	ann.post("/tenants/invite", kay(object{"unitId": attic})).ok(http.StatusCreated)
	var live int
	require.NoError(t, s.Admin.QueryRow(t.Context(), "select count(*) from app.tenancies where cancelled_at is null").Scan(&live))
	require.Equal(t, 1, live)

	// a revoked one stays as it is; the next is another
	ann.post(again.header.Get("Location")+"/revoke", nil).ok(http.StatusOK)
	next := ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	require.NotEqual(t, first.body["inviteId"], next.body["inviteId"])
	require.Equal(t, 1, s.rows(t, "tenants"))
	require.Equal(t, 2, s.rows(t, "tenant_invites"))
}

func TestInviteRefusals(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	foreign := idOf(bob.created("/units", object{"name": "Mill"}))
	ann.get("/me").ok(http.StatusOK)
	for _, unit := range []string{foreign, noSuchRow} {
		ann.post("/tenants/invite", kay(object{"unitId": unit})).refused(http.StatusForbidden, "forbidden")
		ann.post("/tenants/invite", kay(object{"unitId": unit}), key("k")).refused(http.StatusForbidden, "forbidden")
	}
	for pointer, body := range map[string]object{
		"#/firstName": kay(object{"firstName": " "}),
		"#/lastName":  kay(object{"lastName": 5}),
		"#/email":     kay(object{"email": "Kim <kim@example.com>"}),
		"#/unitId":    kay(object{"unitId": "Flat 3"}),
		"#/state":     kay(object{"state": "CLAIMED"}),
	} {
		ann.post("/tenants/invite", body).refused(http.StatusBadRequest, "invalid_request", pointer)
	}
	for _, table := range []string{"tenants", "tenant_invites", "tenancies", "idempotency_keys"} {
		require.Zero(t, s.rows(t, table), table)
	}
	require.Empty(t, mail.letters())

	// two landlords may know one person, and neither learns of the other
	a := ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	b := bob.post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	require.NotEqual(t, a.body["tenantId"], b.body["tenantId"])
	bob.get(a.header.Get("Location")).refused(http.StatusNotFound, "not_found")
	for _, path := range []string{"/resend", "/revoke"} {
		bob.post(a.header.Get("Location")+path, nil).refused(http.StatusForbidden, "forbidden")
		bob.post("/tenant-invites/"+noSuchRow+path, nil).refused(http.StatusForbidden, "forbidden")
	}
	require.Equal(t, "PENDING", ann.get(a.header.Get("Location")).body["state"])

	kim := s.newPerson(t, "kim@example.com")
	kim.post("/invites/"+mail.letters()[0].Token+"/claim", nil).ok(http.StatusOK)
	own := idOf(ann.created("/units", object{"name": "Flat"}))
	ann.post("/tenants/invite", kay(object{"unitId": own})).refused(http.StatusConflict, "already_claimed")
	require.Zero(t, s.rows(t, "tenancies"), "a refusal leaves nothing")
	for _, path := range []string{"/resend", "/revoke"} {
		ann.post(a.header.Get("Location")+path, nil).refused(http.StatusConflict, "already_claimed")
	}
	require.Len(t, mail.letters(), 2)
}

func TestInviteOnceForAKey(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann := s.newLandlord(t)
	ann.get("/me").ok(http.StatusOK)
	answers := make([]answer, 10)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = ann.post("/tenants/invite", kay(nil), key("k")) })
	}
	wg.Wait()
	for _, a := range answers {
		sameAnswer(t, answers[0].ok(http.StatusCreated), a)
	}
	require.Equal(t, 1, s.rows(t, "tenants"))
	s.nobody(t).get("/invites/" + mail.last(t, 1).Token).ok(http.StatusOK)
	ann.post("/tenants/invite", kay(object{"lastName": "Other"}), key("k")).
		refused(http.StatusUnprocessableEntity, "idempotency_key_reused", "header Idempotency-Key")
}

func TestInvitesAtOnce(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann := s.newLandlord(t)
	flat := idOf(ann.created("/units", object{"name": "Flat"}))
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { ann.post("/tenants/invite", kay(object{"unitId": flat})).ok(http.StatusCreated) })
	}
	wg.Wait()
	for _, table := range []string{"tenants", "tenant_invites", "tenancies"} {
		require.Equal(t, 1, s.rows(t, table), table)
	}
	good := 0
	for _, letter := range mail.letters() {
		if s.nobody(t).get("/invites/"+letter.Token).status == http.StatusOK {
			good++
		}
	}
	require.Len(t, mail.letters(), 10)
	require.Equal(t, 1, good, "each link makes those before it void")
}

func TestResendAndRevoke(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann := s.newLandlord(t)
	ann.get("/me").ok(http.StatusOK)
	invite := ann.post("/tenants/invite", kay(nil)).ok(http.StatusCreated).header.Get("Location")
	s.Exec(t, "update app.tenant_invites set expires_at = now() - interval '1 hour'")
	s.Exec(t, "update app.tenants set email = 'kim.kay@example.com'")

	a := ann.post(invite+"/resend", nil, `If-Match: "1"`).refused(http.StatusPreconditionFailed, "version_changed")
	a = ann.post(invite+"/resend", nil, "If-Match: "+a.header.Get("ETag")).ok(http.StatusOK)
	require.Equal(t, "PENDING", a.body["state"])
	require.EqualValues(t, 2, a.body["sendCount"])
	require.Equal(t, "kim.kay@example.com", a.body["email"], "where the tenant has moved to")
	first, second := mail.letters()[0].Token, mail.last(t, 2)
	require.Equal(t, idOf(invite), second.InviteID)
	s.nobody(t).get("/invites/"+first).refused(http.StatusNotFound, "invite_unknown")
	s.nobody(t).get("/invites/" + second.Token).ok(http.StatusOK)

	a = ann.post(invite+"/revoke", nil).ok(http.StatusOK)
	require.Equal(t, "REVOKED", a.body["state"])
	require.Equal(t, "REVOKED", s.nobody(t).get("/invites/" + second.Token).ok(http.StatusOK).body["state"])
	for _, path := range []string{"/resend", "/revoke"} {
		ann.post(invite+path, nil).refused(http.StatusConflict, "invite_revoked")
	}
	require.Len(t, mail.letters(), 2)
}

// TestInviteAndMailAreOne: no invite without its job in the queue, and no job for what
// was rolled back.
func TestInviteAndMailAreOne(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	bob.get("/me").ok(http.StatusOK)
	ann.post("/tenants/invite", kay(nil), key("k")).ok(http.StatusCreated)
	ann.post("/tenants/invite", kay(nil), key("k")).ok(http.StatusCreated)
	require.Len(t, mail.letters(), 1, "a repeated request queues nothing")
	foreign := idOf(bob.created("/units", object{"name": "Mill"}))
	ann.post("/tenants/invite", kay(object{"email": "lee@example.com", "unitId": foreign})).refused(http.StatusForbidden, "forbidden")
	require.Len(t, mail.letters(), 1)

	// when the queue takes no job there is no invite either
	s.Exec(t, "revoke insert on river.river_job from rowhouse_enqueuer")
	require.Equal(t, http.StatusInternalServerError, ann.post("/tenants/invite", kay(object{"email": "lee@example.com"})).status)
	require.Equal(t, 1, s.rows(t, "tenant_invites"))
	require.Equal(t, 1, s.rows(t, "tenants"))
}

func TestListTenantInvites(t *testing.T) {
	t.Parallel()
	s, mail := serveInvites(t)
	ann, bob := s.newLandlord(t), s.newLandlord(t)
	bob.post("/tenants/invite", kay(nil)).ok(http.StatusCreated)
	ids := map[string]string{}
	for _, name := range []string{"pending", "expired", "claimed", "revoked"} {
		a := ann.post("/tenants/invite", kay(object{"firstName": "The " + name, "email": name + "@example.com"})).ok(http.StatusCreated)
		ids[name] = a.body["inviteId"].(string)
	}
	s.Exec(t, "update app.tenant_invites set expires_at = now() where id = $1", ids["expired"])
	s.newPerson(t, "claimed@example.com").post("/invites/"+mail.letters()[3].Token+"/claim", nil).ok(http.StatusOK)
	ann.post("/tenant-invites/"+ids["revoked"]+"/revoke", nil).ok(http.StatusOK)
	tenant := ann.get("/tenant-invites/" + ids["claimed"]).ok(http.StatusOK).body["tenantId"].(string)
	for query, want := range map[string][]string{
		"":                           {"The revoked", "The claimed", "The expired", "The pending"},
		"?sort=createdAt":            {"The pending", "The expired", "The claimed", "The revoked"},
		"?state=PENDING":             {"The pending"},
		"?state=EXPIRED":             {"The expired"},
		"?state=CLAIMED":             {"The claimed"},
		"?state=REVOKED":             {"The revoked"},
		"?tenantId=" + tenant:        {"The claimed"},
		"?tenantId=" + noSuchRow:     {},
		"?q=PENDING@":                {"The pending"},
		"?email=Expired@Example.com": {"The expired"},
		"?email=xpired@example.com":  {},
		"?q=kay&limit=1&page=2":      {"The claimed"},
		"?state=PENDING&q=the+claim": {},
	} {
		rows := ann.get("/tenant-invites" + query).list("tenantInvites")
		names := []string{}
		for _, row := range rows {
			names = append(names, row["firstName"].(string))
		}
		require.Equal(t, want, names, query)
	}
	require.Equal(t, 4, ann.get("/tenant-invites?limit=1").pagination("total"))
	require.Len(t, ann.get("/tenant-invites?cursor=*").list("tenantInvites"), 4)
	ann.get("/tenant-invites?state=OPEN").refused(http.StatusBadRequest, "invalid_request", "?state")
	for _, address := range []string{"", "x", "a%00@example.com", "a@example.com,b@example.com", strings.Repeat("x", 309) + "@example.com"} {
		ann.get("/tenant-invites?email="+address).refused(http.StatusBadRequest, "invalid_request", "?email")
	}
	require.Empty(t, s.newPerson(t, "claimed@example.com").get("/tenant-invites").list("tenantInvites"))
}
