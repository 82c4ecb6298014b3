package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// client sends requests of one person.
type client struct {
	base, token string
	http        *http.Client
}

func newClient(base, token string) client {
	return client{base: base, token: token, http: &http.Client{Timeout: 15 * time.Second}}
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// try sends a request; body is sent as JSON unless it is nil, headers are pairs.
func (c client) try(ctx context.Context, method, path string, body any, headers ...string) (answer, error) {
	var reader io.Reader = http.NoBody
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = strings.NewReader(string(data))
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return answer{}, err
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answer{response.StatusCode, response.Header, string(data)}, nil
}

func (c client) send(t testing.TB, method, path string, body any, headers ...string) answer {
	t.Helper()
	a, err := c.try(t.Context(), method, path, body, headers...)
	require.NoError(t, err)
	return a
}

// must also insists on a status.
func (c client) must(t testing.TB, status int, method, path string, body any, headers ...string) answer {
	t.Helper()
	a := c.send(t, method, path, body, headers...)
	require.Equal(t, status, a.status, "%s %s: %s", method, path, a.body)
	return a
}

// create posts body and returns the id of what came of it.
func (c client) create(t testing.TB, path string, body any) uuid.UUID {
	t.Helper()
	var made struct{ ID uuid.UUID }
	c.must(t, http.StatusCreated, "POST", path, body).into(t, &made)
	require.NotZero(t, made.ID)
	return made.ID
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), v), a.body)
}

// saysTryAgain is whether a is how a busy or headless server has to answer.
func (a answer) saysTryAgain() bool {
	return a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" &&
		strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json")
}

type object = map[string]any

// signUp signs somebody up and in at the stand-in and returns their client.
func signUp(t testing.TB, auth, api, email string) client {
	t.Helper()
	credentials := object{"email": email, "password": "a long password"}
	newClient(auth, "").must(t, http.StatusOK, "POST", "/auth/v1/signup", credentials)
	return signIn(t, auth, api, email, "a long password")
}

func signIn(t testing.TB, auth, api, email, password string) client {
	t.Helper()
	var session struct {
		Token string `json:"access_token"`
	}
	newClient(auth, "").must(t, http.StatusOK, "POST", "/auth/v1/token?grant_type=password",
		object{"email": email, "password": password}).into(t, &session)
	require.NotEmpty(t, session.Token)
	return newClient(api, session.Token)
}

// introduce is the first step of onboarding, without which no landlord makes anything.
func (c client) introduce(t testing.TB) {
	t.Helper()
	c.must(t, http.StatusOK, "PATCH", "/api/v1/onboarding",
		object{"fullName": "Kay Visser", "country": "NL", "timeZone": "Europe/Amsterdam", "currency": "EUR"})
}

type unitsPage struct {
	Units []struct {
		ID         uuid.UUID
		Name       string
		PropertyID *uuid.UUID
	}
	Pagination struct {
		Page, Limit, Total, TotalPages int
		HasNext, HasPrev               bool
		NextCursor                     string
	}
}

func (c client) units(t testing.TB, query string) unitsPage {
	t.Helper()
	var page unitsPage
	c.must(t, http.StatusOK, "GET", "/api/v1/units"+query, nil).into(t, &page)
	return page
}
