package probe

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// shop is a server of two kinds of rows, notes and the lines in them, with its own
// identity provider. Its bugs are what the probe must find.
type shop struct {
	mu    sync.Mutex
	bugs  map[string]bool
	notes map[string]*note
	keys  map[string]string // ids by Idempotency-Key
	read  int               // how often a single note was
}

type note struct {
	ID      string `json:"id"`
	Text    string `json:"text"`
	About   string `json:"noteId,omitempty"` // another note
	Version int    `json:"version"`
	owner   string
}

const shopDocument = `{
 "openapi": "3.1.0", "info": {"version": "7"}, "security": [{"bearer": []}],
 "paths": {
  "/api/v1/notes": {
   "get": {"operationId": "listNotes", "parameters": [
     {"in": "query", "name": "q", "schema": {"type": "string"}}, {"in": "query", "name": "noteId", "schema": {"type": "string", "format": "uuid"}}],
     "responses": {"200": {}}},
   "post": {"operationId": "createNote", "parameters": [{"in": "header", "name": "Idempotency-Key", "schema": {"type": "string"}}],
     "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NoteData"}}}}, "responses": {"201": {}}}},
  "/api/v1/notes/{id}": {
   "get": {"operationId": "getNote", "parameters": [{"in": "path", "name": "id", "required": true, "schema": {"type": "string", "format": "uuid"}}], "responses": {"200": {}}},
   "patch": {"operationId": "updateNote", "parameters": [
     {"in": "path", "name": "id", "required": true, "schema": {"type": "string", "format": "uuid"}}, {"in": "header", "name": "If-Match", "schema": {"type": "string"}}],
     "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NoteData"}}}}, "responses": {"200": {}}},
   "delete": {"operationId": "deleteNote", "parameters": [
     {"in": "path", "name": "id", "required": true, "schema": {"type": "string", "format": "uuid"}}, {"in": "header", "name": "If-Match", "schema": {"type": "string"}}], "responses": {"204": {}}}},
  "/api/v1/summary": {"get": {"operationId": "getSummary"%s, "responses": {"200": {}}}}
 },
 "components": {"schemas": {"NoteData": {"type": "object", "required": ["text"], "properties": {
   "text": {"type": "string", "maxLength": 200}, "noteId": {"type": ["string", "null"], "format": "uuid"}%s}}}}
}`

func newShop(t *testing.T, bugs ...string) (*shop, Options) {
	t.Helper()
	s := &shop{bugs: map[string]bool{}, notes: map[string]*note{}, keys: map[string]string{}}
	for _, bug := range bugs {
		s.bugs[bug] = true
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/v1/token", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Email, Password string }
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.Password != "right" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "head." + base64.RawURLEncoding.EncodeToString([]byte(in.Email)) + ".tail", "expires_in": 3600, "user": map[string]any{"id": uuid.NewString()}})
	})
	mux.HandleFunc("POST /auth/v1/logout", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		parameters, member := "", ""
		if s.bugs["asks what nobody knows"] {
			parameters = `, "parameters": [{"in": "query", "name": "shape", "required": true, "schema": {"type": "object"}}]`
		}
		if s.bugs["takes what nobody knows"] {
			member = `, "shape": {"type": "object"}`
		}
		text := fmt.Sprintf(shopDocument, parameters, member)
		if member != "" {
			text = strings.ReplaceAll(text, `"required": ["text"]`, `"required": ["text", "shape"]`)
		}
		_, _ = io.WriteString(w, text)
	})
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request, string){
		"GET /api/v1/notes": s.list, "POST /api/v1/notes": s.create, "GET /api/v1/notes/{id}": s.get,
		"PATCH /api/v1/notes/{id}": s.update, "DELETE /api/v1/notes/{id}": s.remove, "GET /api/v1/summary": s.summary,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			handle(w, r, s.caller(r))
		})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") && s.caller(r) == "" {
			say(w, http.StatusUnauthorized, nil)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return s, Options{
		URL: server.URL, SupabaseURL: server.URL, AnonKey: "anon",
		A: Landlord{"a@example.com", "right"}, B: Landlord{"b@example.com", "right"},
	}
}

func (s *shop) caller(r *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+"..", ".")
	email, _ := base64.RawURLEncoding.DecodeString(parts[1])
	switch {
	case strings.Contains(string(email), "@") && (parts[2] == "tail" || s.bugs["unsigned tokens"]):
		return string(email)
	case s.bugs["no session"] && r.URL.Path == "/api/v1/summary":
		return "somebody"
	}
	return ""
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if n, ok := v.(*note); ok {
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n.Version))
	}
	w.WriteHeader(status)
	if v == nil {
		v = map[string]any{"code": status, "requestId": uuid.NewString()}
	}
	if status != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(v)
	}
}

func (s *shop) list(w http.ResponseWriter, r *http.Request, caller string) {
	found := []*note{}
	for _, n := range s.notes {
		about, q := r.URL.Query().Get("noteId"), r.URL.Query().Get("q")
		mine := n.owner == caller || s.bugs["list"] || q != "" && s.bugs["search"] || about != "" && s.bugs["filter"]
		if mine && strings.Contains(n.Text, q) && (about == "" || n.ID == about) {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(x, y *note) int { return strings.Compare(x.ID, y.ID) })
	say(w, http.StatusOK, map[string]any{"notes": found, "pagination": map[string]any{}})
}

func (s *shop) summary(w http.ResponseWriter, _ *http.Request, caller string) {
	latest := ""
	for _, n := range s.notes {
		if n.owner == caller && latest == "" || s.bugs["summary"] && n.owner == "b@example.com" {
			latest = n.Text
		}
	}
	say(w, http.StatusOK, map[string]any{"counts": []any{map[string]any{"latest": latest}}})
}

func (s *shop) create(w http.ResponseWriter, r *http.Request, caller string) {
	var data struct{ Text, NoteID string }
	_ = json.NewDecoder(r.Body).Decode(&data)
	key := caller + r.Header.Get("Idempotency-Key")
	if s.bugs["keys"] {
		key = r.Header.Get("Idempotency-Key")
	}
	if id := s.keys[key]; id != "" && r.Header.Get("Idempotency-Key") != "" {
		w.Header().Set("Idempotency-Replayed", "true")
		say(w, http.StatusCreated, s.notes[id])
		return
	}
	if !s.mayName(data.NoteID, caller) {
		say(w, http.StatusForbidden, nil)
		return
	}
	n := &note{ID: uuid.NewString(), Text: data.Text, About: data.NoteID, Version: 1, owner: caller}
	s.notes[n.ID], s.keys[key] = n, n.ID
	if s.bugs["loses answers"] && len(s.notes) == 2 {
		s.mu.Unlock()
		<-r.Context().Done() // the probe waits no longer
		s.mu.Lock()
	}
	say(w, http.StatusCreated, n)
}

// mayName reports whether a caller's note can be about the one with this id.
func (s *shop) mayName(id, caller string) bool {
	n, there := s.notes[id]
	return id == "" || there && (n.owner == caller || s.bugs["reference"])
}

func (s *shop) get(w http.ResponseWriter, r *http.Request, caller string) {
	n, ok := s.notes[r.PathValue("id")]
	s.read++
	switch {
	case s.bugs["down later"] && s.read > 2:
		say(w, http.StatusInternalServerError, nil)
	case ok && (n.owner == caller || s.bugs["read"]):
		say(w, http.StatusOK, n)
	case ok && s.bugs["oracle"]:
		say(w, http.StatusNotFound, map[string]any{"code": "not_yours"})
	case s.bugs["down"]:
		say(w, http.StatusInternalServerError, nil)
	default:
		say(w, http.StatusNotFound, nil)
	}
}

func (s *shop) update(w http.ResponseWriter, r *http.Request, caller string) {
	var data struct{ Text, NoteID string }
	_ = json.NewDecoder(r.Body).Decode(&data)
	n, ok := s.notes[r.PathValue("id")]
	etag := r.Header.Get("If-Match")
	switch {
	case s.bugs["refuses everything"]:
		say(w, http.StatusForbidden, nil)
	case ok && n.owner != caller && s.bugs["silent change"]:
		n.Version++
		say(w, http.StatusForbidden, nil)
	case !ok, n.owner != caller && !s.bugs["update"] && (!s.bugs["etag"] || etag == ""):
		say(w, http.StatusForbidden, nil)
	case etag != "" && etag != fmt.Sprintf(`"%d"`, n.Version):
		say(w, http.StatusPreconditionFailed, nil)
	case !s.mayName(data.NoteID, caller):
		say(w, http.StatusForbidden, nil)
	default:
		if data.Text != "" {
			n.Text = data.Text
		}
		n.Version++
		say(w, http.StatusOK, n)
	}
}

func (s *shop) remove(w http.ResponseWriter, r *http.Request, caller string) {
	n, ok := s.notes[r.PathValue("id")]
	etag := r.Header.Get("If-Match")
	switch {
	case !ok || n.owner != caller && !s.bugs["delete"]:
		say(w, http.StatusForbidden, nil)
	case s.bugs["keeps all"]:
		say(w, http.StatusConflict, nil)
	case etag != "" && etag != fmt.Sprintf(`"%d"`, n.Version):
		say(w, http.StatusPreconditionFailed, nil)
	default:
		delete(s.notes, n.ID)
		say(w, http.StatusNoContent, nil)
	}
}

// left are the texts of the notes that are there.
func (s *shop) left() []string {
	var texts []string
	for n := range maps.Values(s.notes) {
		texts = append(texts, n.Text)
	}
	return texts
}
