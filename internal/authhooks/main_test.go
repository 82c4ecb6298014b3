package authhooks_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/authhooks"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/logtest"
)

// The secrets of the published test vector.
const (
	secretOne     = "v1,whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	secretTwo     = "v1,whsec_c2Vjb25kLXNlY3JldC1vZi0yNC1ieXRlcw=="
	webhookSecret = "a secret of the webhook"
	publicURL     = "https://rowhouse.example"
)

type object = map[string]any

var logged = logtest.Capture()

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// receivers are our receivers at an address.
type receivers struct {
	*dbtest.Database
	t   testing.TB
	url string // with /hooks/auth
}

func serve(t testing.TB, set ...func(*authhooks.Config)) *receivers {
	t.Helper()
	return serveOn(t, dbtest.New(t), set...)
}

func serveOn(t testing.TB, d *dbtest.Database, set ...func(*authhooks.Config)) *receivers {
	t.Helper()
	c := authhooks.Config{DB: d.DB, Secrets: secretOne, WebhookSecret: webhookSecret, PublicURL: publicURL, Patience: time.Minute}
	for _, f := range set {
		f(&c)
	}
	h, err := authhooks.New(c)
	require.NoError(t, err)
	root := chi.NewRouter()
	root.Mount("/hooks/auth", h)
	server := httptest.NewServer(root)
	t.Cleanup(server.Close)
	return &receivers{Database: d, t: t, url: server.URL + "/hooks/auth"}
}

type answer struct {
	status int
	header http.Header
	text   string
}

// signed is a call of a hook as the provider makes it; tests may spoil it.
func (r *receivers) signed(hook string, body []byte, secrets ...string) *http.Request {
	r.t.Helper()
	return r.signedAt(time.Now(), hook, body, secrets...)
}

func (r *receivers) signedAt(at time.Time, hook string, body []byte, secrets ...string) *http.Request {
	r.t.Helper()
	if secrets == nil {
		secrets = []string{secretOne}
	}
	id := uuid.NewString()
	var signatures []string
	for _, secret := range secrets {
		signatures = append(signatures, sign(r.t, secret, id, at, body))
	}
	// not of the test: some calls end after it
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url+"/"+hook, bytes.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("Webhook-Signature", strings.Join(signatures, ", "))
	return req
}

func sign(t testing.TB, secret, id string, at time.Time, body []byte) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "v1,whsec_"))
	require.NoError(t, err)
	signer, err := webhooks.NewWebhookRaw(key)
	require.NoError(t, err)
	signature, err := signer.Sign(id, at, body)
	require.NoError(t, err)
	return signature
}

func (r *receivers) do(req *http.Request) answer {
	r.t.Helper()
	res, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

// call makes a proper call with payload.
func (r *receivers) call(hook string, payload any) answer {
	r.t.Helper()
	body, err := json.Marshal(payload)
	require.NoError(r.t, err)
	return r.do(r.signed(hook, body))
}

// consents requires an answer that the provider takes for consent.
func (r *receivers) consents(a answer) {
	r.t.Helper()
	require.Equal(r.t, http.StatusOK, a.status, a.text)
	require.Equal(r.t, "application/json", a.header.Get("Content-Type"))
	require.Equal(r.t, "{}", a.text)
}

// refuses requires an answer that the provider takes for a refusal, and returns what
// people are shown. Each part of it counts: with any wrong one the provider consents.
func (r *receivers) refuses(a answer, status int) string {
	r.t.Helper()
	require.Equal(r.t, http.StatusOK, a.status, a.text)
	require.Equal(r.t, "application/json", a.header.Get("Content-Type"))
	var got struct {
		Error *struct {
			Status  *int    `json:"http_code"`
			Message *string `json:"message"`
		} `json:"error"`
	}
	require.NoError(r.t, json.Unmarshal([]byte(a.text), &got), a.text)
	require.NotNil(r.t, got.Error, a.text)
	require.NotNil(r.t, got.Error.Status, a.text)
	require.NotNil(r.t, got.Error.Message, a.text)
	require.Equal(r.t, status, *got.Error.Status)
	require.NotEmpty(r.t, *got.Error.Message)
	return *got.Error.Message
}

// turnsAway requires a bare answer: nobody learns from it what was wrong.
func (r *receivers) turnsAway(a answer, status int, about string) {
	r.t.Helper()
	require.Equal(r.t, status, a.status, about)
	require.Empty(r.t, a.text, about)
}

func metadata(name string) object {
	return object{
		"uuid": uuid.NewString(), "time": time.Now().UTC().Format(time.RFC3339Nano), "name": name, "ip_address": "127.0.0.1",
	}
}

// newUser is somebody as the provider describes them, before and after there is a row.
func newUser(email string) object {
	return object{
		"id": uuid.NewString(), "aud": "authenticated", "role": "", "email": email, "phone": "",
		"app_metadata":  object{"provider": "email", "providers": []string{"email"}},
		"user_metadata": object{"full_name": "Ann One"}, "identities": []any{},
		"created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z", "is_anonymous": false,
	}
}

func with(o object, changes object) object {
	made := object{}
	maps.Copy(made, o)
	maps.Copy(made, changes)
	return made
}

func userCall(name string, user object) object {
	return object{"metadata": metadata(name), "user": user}
}

// profile is a row of app.users.
type profile struct {
	Email, FullName *string
	Version         int
	SeenAt, GoneAt  *time.Time
}

// profile returns that of id, or nil.
func (r *receivers) profile(id any) *profile {
	r.t.Helper()
	rows, err := r.Admin.Query(context.Background(), `select email, full_name, version, provider_seen_at, provider_deleted_at
		from app.users where id = $1::text::uuid`, id)
	require.NoError(r.t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[profile])
	require.NoError(r.t, err)
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

func (r *receivers) profiles() (n int) {
	r.t.Helper()
	require.NoError(r.t, r.Admin.QueryRow(context.Background(), "select count(*) from app.users").Scan(&n))
	return n
}
