package httpapi_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestProfile(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann, bob := s.newcomer(t), s.newcomer(t)
	require.Zero(t, s.rows(t, "users"))
	a := ann.get("/me").ok(http.StatusOK)
	require.Equal(t, ann.id.String(), a.body["id"])
	require.Equal(t, "ann@example.com", a.body["email"])
	require.Equal(t, `"1"`, a.header.Get("ETag"))
	require.Equal(t, 1, s.rows(t, "users"))

	mine := object{
		"fullName": "Ann Example", "companyName": "Canal House Rentals", "phone": "+31 30 123 4567",
		"locale": "en-GB", "timeZone": "America/Argentina/Buenos_Aires", "currency": "EUR", "country": "AR",
	}
	changed := ann.patch("/me", mine).ok(http.StatusOK)
	require.Subset(t, changed.body, mine)
	require.Equal(t, changed.text, ann.get("/me").text)
	other := bob.get("/me").ok(http.StatusOK)
	require.Equal(t, bob.id.String(), other.body["id"])
	for field := range mine {
		require.NotContains(t, other.body, field)
		a = ann.patch("/me", object{field: nil}).ok(http.StatusOK)
		require.NotContains(t, a.body, field)
	}
	require.Equal(t, other.text, bob.get("/me").text)
	for body, blamed := range map[string]string{
		`{"email":"bob@example.com"}`:    "#/email", // the identity provider's
		`{"id":"` + noSuchRow + `"}`:     "#/id",
		`{"version":9}`:                  "#/version",
		`{"fullName":""}`:                "#/fullName",
		`{"fullName":"\u0007"}`:          "#/fullName",
		`{"phone":5}`:                    "#/phone",
		`{"locale":"english language"}`:  "#/locale",
		`{"timeZone":"../../etc"}`:       "#/timeZone",
		`{"timeZone":"Europe/Atlantis"}`: "#/timeZone",
		`{"currency":"eur"}`:             "#/currency",
		`{"currency":"XTS"}`:             "#/currency", // for tests
		`{"country":"Netherlands"}`:      "#/country",
		`{"requireMfa":null}`:            "#/requireMfa",
		`{"a":1,"a":2}`:                  "#/a",
		`[]`:                             "#",
		`null`:                           "#",
		``:                               "#",
	} {
		ann.patch("/me", body).refused(http.StatusBadRequest, "invalid_request", blamed)
	}
	require.Equal(t, a.text, ann.get("/me").text)
}

func TestProfileComesWithTheFirstRequest(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, r := range routes {
		c := s.newcomer(t)
		c.send(r.method, r.path, r.body)
		require.Equal(t, c.id.String(), c.get("/me").ok(http.StatusOK).body["id"])
	}
	require.Equal(t, len(routes), s.rows(t, "users"))

	c := s.newcomer(t)
	answers := make([]answer, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = c.get("/me") })
	}
	wg.Wait()
	for _, a := range answers {
		require.Equal(t, answers[0].ok(http.StatusOK).text, a.text)
	}
	require.Equal(t, len(routes)+1, s.rows(t, "users"))
}

func TestProfileWithoutAddress(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := client{t: t, url: s.url, token: accessToken(t, object{"sub": uuid.NewString()})}
	require.NotContains(t, c.get("/me").ok(http.StatusOK).body, "email")
}
