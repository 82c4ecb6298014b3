package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// transcript writes down requests to a provider, its answers, and what it asks of
// the hooks meanwhile, in a form in which two runs of the same script are the same
// text: what differs from run to run has a name instead, such as <uuid 3>.
type transcript struct {
	t     testing.TB
	p     *provider
	run   string // in all addresses
	part  string // that begins with the next step
	steps []step
	brief bool // what the hooks are told is not written down
	// named are the values that had to be replaced, by what
	named map[string]string
	count map[string]int
}

func newTranscript(t testing.TB, p *provider) *transcript {
	return &transcript{
		t: t, p: p, run: strings.ReplaceAll(uuid.NewString(), "-", "")[:12],
		named: map[string]string{}, count: map[string]int{},
	}
}

// heading begins a part of the script.
func (s *transcript) heading(text string) { s.part = text }

// email is an address of this run.
func (s *transcript) email(name string) string { return name + "-" + s.run + "@example.com" }

// said is an answer of the provider.
type said struct {
	status int
	header http.Header
	text   string
	body   map[string]any // nil unless it is a JSON object
}

// get is the text at a path of keys in the body, "" if there is none.
func (a said) get(keys ...string) string {
	var value any = a.body
	for _, key := range keys {
		object, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = object[key]
	}
	text, _ := value.(string)
	return text
}

// send sends a request and writes it down. body is JSON; headers are pairs.
func (s *transcript) send(method, path, body string, headers ...string) said {
	s.t.Helper()
	s.p.hooks.take()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.p.url+"/auth/v1"+path, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("apikey", s.p.anonKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Supabase-Api-Version", "2024-01-01")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Timeout: 3 * soon, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	require.NoError(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	a := said{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body) // some answers are no objects

	calls := s.p.hooks.take()
	// before anything is written: what is secret is known by its place
	s.learn(a.body)
	for _, c := range calls {
		var payload map[string]any
		_ = json.Unmarshal(c.body, &payload) // what is none is written down as it is
		s.learn(payload)
	}
	now := step{Part: s.part, Request: method + " " + s.mask(path), Body: s.body([]byte(body)), Status: a.status}
	s.part = ""
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Authorization" {
			continue
		}
		now.Header = append(now.Header, headers[i]+": "+headers[i+1])
	}
	for _, c := range calls {
		one := hookCall{Hook: c.hook}
		if !s.brief {
			one.Body = s.body(c.body)
		}
		now.Hooks = append(now.Hooks, one)
	}
	if a.status == http.StatusNotFound && a.body == nil || a.status == http.StatusMethodNotAllowed {
		s.steps = append(s.steps, now) // a router's, not the service's
		return a
	}
	for _, name := range []string{"Content-Type", "Location", "X-Sb-Error-Code", "X-Supabase-Api-Version", "Cache-Control"} {
		if value := a.header.Get(name); value != "" {
			now.AnswerHeader = append(now.AnswerHeader, name+": "+s.mask(value))
		}
	}
	now.Answer = s.body(text)
	s.steps = append(s.steps, now)
	return a
}

// step is one request and what came of it.
type step struct {
	Part         string     `json:"part,omitempty"`
	Request      string     `json:"request"`
	Header       []string   `json:"header,omitempty"`
	Body         any        `json:"body,omitempty"`
	Hooks        []hookCall `json:"hooks,omitempty"`
	Status       int        `json:"status"`
	AnswerHeader []string   `json:"answerHeader,omitempty"`
	Answer       any        `json:"answer,omitempty"`
}

type hookCall struct {
	Hook string `json:"hook"`
	Body any    `json:"body,omitempty"`
}

// post is send with POST.
func (s *transcript) post(path, body string, headers ...string) said {
	s.t.Helper()
	return s.send(http.MethodPost, path, body, headers...)
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// body is a body as it is written down.
func (s *transcript) body(text []byte) any {
	if len(text) == 0 {
		return nil
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return s.mask(strings.TrimSpace(string(text)))
	}
	return s.masked("", value)
}

// kinds are the keys whose values differ from run to run.
var kinds = map[string]string{
	"token": "code", "token_new": "code", "token_hash": "hash", "token_hash_new": "hash", "hashed_token": "hash", "email_otp": "code",
	"refresh_token": "refresh token", "auth_code": "auth code", "secret": "secret", "error_id": "uuid",
}

// learn gives names to what is found in value by its key.
func (s *transcript) learn(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[key].(string); ok && text != "" && kinds[key] != "" {
				s.name(kinds[key], text)
			}
			s.learn(v[key])
		}
	case []any:
		for _, item := range v {
			s.learn(item)
		}
	}
}

// name is what stands for value.
func (s *transcript) name(kind, value string) string {
	if name, ok := s.named[value]; ok {
		return name
	}
	prefix := ""
	if strings.HasPrefix(value, "pkce_") {
		prefix = "pkce_"
	}
	s.count[kind]++
	s.named[value] = fmt.Sprintf("%s<%s %d>", prefix, kind, s.count[kind])
	return s.named[value]
}

var (
	aUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	aTime = regexp.MustCompile(`2\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)
	// what a library has to say, with names of types in the provider's source
	aDetail  = regexp.MustCompile(`(Could not parse request body as JSON|invalid JWT: unable to parse or verify signature).*`)
	anExpiry = regexp.MustCompile(`((?:expires_at|refresh_token)=)\w+`)
	aJWT     = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
)

// mask replaces in text what differs from run to run.
func (s *transcript) mask(text string) string {
	if name, ok := s.named[text]; ok {
		return name
	}
	for value, name := range s.named {
		if len(value) >= 10 { // a shorter one may stand in a text by chance
			text = strings.ReplaceAll(text, value, name)
		}
	}
	text = aJWT.ReplaceAllString(text, "<token>")
	text = anExpiry.ReplaceAllString(text, "$1…")
	text = aDetail.ReplaceAllString(text, "$1…")
	text = aUUID.ReplaceAllStringFunc(text, func(id string) string { return s.name("uuid", id) })
	text = aTime.ReplaceAllString(text, "<time>")
	return strings.NewReplacer(s.run, "RUN", s.p.url, "PROVIDER").Replace(text)
}

// masked is value, found at key, as it is written down.
func (s *transcript) masked(key string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if meta, ok := s.metadata(key, v); ok {
			return meta
		}
		masked := map[string]any{}
		for _, inner := range slices.Sorted(maps.Keys(v)) {
			masked[inner] = s.masked(inner, v[inner])
		}
		return masked
	case []any:
		if key == "aud" && len(v) == 1 {
			return v[0] // a list in the first token after the provider's start
		}
		masked := make([]any, len(v))
		for i, item := range v {
			masked[i] = s.masked(key, item)
		}
		return masked
	case json.Number:
		if slices.Contains([]string{"exp", "iat", "expires_at", "timestamp"}, key) {
			return "<unix>"
		}
		if left, err := v.Int64(); key == "expires_in" && err == nil && left > 3590 && left < 3600 {
			return json.Number("3600") // a second or more went by before it was counted
		}
		return v
	case string:
		switch key {
		case "access_token":
			return s.opened(v)
		case "code":
			if len(v) == 6 && v != "000000" && strings.Trim(v, "0123456789") == "" {
				return "<totp>"
			}
		case "kid", "x", "y", "description":
			return "<" + key + ">"
		case "qr_code":
			return v[:min(len("<?xml"), len(v))] + "…"
		case "uri":
			return regexp.MustCompile(`secret=\w+`).ReplaceAllString(s.mask(v), "secret=…")
		}
		return s.mask(v)
	}
	return value
}

// metadata is that of a hook's call, in short if it is as it always is.
func (s *transcript) metadata(key string, value map[string]any) (any, bool) {
	name, _ := value["name"].(string)
	id, _ := value["uuid"].(string)
	at, _ := value["time"].(string)
	if key != "metadata" || value["ip_address"] != "127.0.0.1" || !aUUID.MatchString(id) || !aTime.MatchString(at) || len(value) != 4 {
		return nil, false
	}
	return name, true
}

// opened is what a token says.
func (s *transcript) opened(token string) any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return token
	}
	opened := map[string]any{}
	for i, name := range []string{"header", "claims"} {
		text, _ := base64.RawURLEncoding.DecodeString(parts[i])
		var value any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil {
			return token
		}
		opened[name] = s.masked("", value)
	}
	return opened
}
