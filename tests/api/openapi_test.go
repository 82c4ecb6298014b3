// Package api holds the API's document still: what is agreed with clients does
// not change by accident.
package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/httpapi"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// document returns the API's document, from an API that has no database.
func document(t *testing.T) []byte {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{URL: "postgres://nobody@127.0.0.1:1/none", Keys: dbtest.Keyring(t, dbtest.KeysText)})
	require.NoError(t, err)
	t.Cleanup(d.Close)
	tokens, err := auth.NewVerifier(t.Context(), auth.Config{
		Issuer: "https://project.example.com/auth/v1", LegacySecret: []byte("any secret of at least 32 bytes will do"),
	})
	require.NoError(t, err)
	t.Cleanup(tokens.Close)
	api, err := httpapi.New(httpapi.Config{DB: d, Tokens: tokens, Version: "1", InviteKeys: dbtest.InviteKeys(t)})
	require.NoError(t, err)
	return api.Document()
}

// TestDocumentIsAsAgreed compares the document with openapi.json. When the change is
// meant: go test ./tests/api -update.
func TestDocumentIsAsAgreed(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	require.NoError(t, json.Indent(&got, document(t), "", "  "))
	got.WriteByte('\n')
	if *update {
		require.NoError(t, os.WriteFile("openapi.json", got.Bytes(), 0o644))
	}
	agreed, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	require.Equal(t, string(agreed), got.String(), "if this is meant: go test ./tests/api -update")
}

type (
	schema struct {
		Ref         string `json:"$ref"`
		Type        any
		Format      string
		Description string
		Enum        []any
		Default     any
		Examples    []any
		Properties  map[string]schema
		Items       *schema
		Required    []string
		Additional  any `json:"additionalProperties"`
	}
	content map[string]struct{ Schema schema }
	answer  struct {
		Description string
		Content     content
		Headers     map[string]any
	}
	operation struct {
		OperationID string `json:"operationId"`
		Summary     string
		Tags        []string
		Security    []map[string][]string
		Parameters  []struct {
			Name, In, Description string
			Schema                schema
		}
		RequestBody *struct {
			Required bool
			Content  content
		}
		Responses map[string]answer
	}
)

func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	var d struct {
		OpenAPI    string
		Info       struct{ Title, Version, Description string }
		Paths      map[string]map[string]operation
		Components struct {
			Schemas         map[string]schema
			SecuritySchemes map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(document(t), &d))
	require.Regexp(t, `^3\.1\.`, d.OpenAPI)
	require.NotEmpty(t, d.Info.Title)
	require.NotEmpty(t, d.Info.Description)
	require.Contains(t, d.Components.SecuritySchemes, "bearer")

	resolve := func(s schema) schema {
		name, isRef := strings.CutPrefix(s.Ref, "#/components/schemas/")
		if !isRef {
			return s
		}
		require.Contains(t, d.Components.Schemas, name)
		return d.Components.Schemas[name]
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		require.True(t, strings.HasPrefix(path, "/api/v1/"), path)
		for method, op := range methods {
			where := strings.ToUpper(method) + " " + path
			require.Regexp(t, `^[a-z][A-Za-z]+$`, op.OperationID, where)
			require.False(t, ids[op.OperationID], "%s: the id is used twice", where)
			ids[op.OperationID] = true
			require.NotEmpty(t, op.Summary, where)
			require.Len(t, op.Tags, 1, where)
			if op.OperationID == "getInvite" { // who opens the link of a mail has not signed in yet
				require.Equal(t, []map[string][]string{}, op.Security, where)
			} else {
				require.Equal(t, []map[string][]string{{"bearer": {}}}, op.Security, where)
			}
			for _, p := range op.Parameters {
				require.NotEmpty(t, p.Description, "%s: %s", where, p.Name)
			}
			if op.RequestBody != nil {
				require.True(t, op.RequestBody.Required || op.OperationID == "searchContractors", where)
				require.NotEmpty(t, op.RequestBody.Content, where)
				if body, ok := op.RequestBody.Content["application/json"]; ok || !isFile(op.RequestBody.Content) {
					exemplary(t, where, resolve(body.Schema))
				}
			}
			answers(t, where, op, resolve)
		}
	}
	for name, s := range d.Components.Schemas {
		exemplary(t, name, s)
	}
}

// isFile reports whether all of content is bytes of a file, or a form with one.
func isFile(c content) bool {
	for _, one := range c {
		if one.Schema.Format != "binary" && one.Schema.Properties["file"].Format != "binary" {
			return false
		}
	}
	return len(c) > 0
}

// answers requires that an operation says how it can end.
func answers(t *testing.T, where string, op operation, resolve func(schema) schema) {
	t.Helper()
	change := []string{"403", "409", "412", "413", "415"}
	own := map[string][]string{
		"get": {"404"}, "list": {}, "create": {"403", "409", "413", "415", "422"}, "delete": {"403", "409", "412"},
		"replace": change, "update": {"403", "412", "413", "415"},
		// what is not a row but happens to one
		"invite": {"403", "409", "413", "415", "422"}, "resend": change, "revoke": change, "cancel": change, "reopen": change, "add": change,
		"import": {"403", "409", "413", "415", "422"}, "map": change, "edit": change, "run": change, "undo": change, "download": {}, "export": {},
		"search": {}, "save": {"403", "409"}, "claim": {"403", "404", "409"},
	}
	kind := regexp.MustCompile(`^[a-z]+`).FindString(op.OperationID)
	require.Contains(t, own, kind, where)
	if op.OperationID == "getDashboard" || op.OperationID == "getIsolationReport" {
		kind = "list" // there is always one
	}
	always := []string{"400", "429", "500", "503"}
	if len(op.Security) > 0 {
		always = append(always, "401")
	}
	for _, status := range append(own[kind], always...) {
		require.Contains(t, op.Responses, status, where)
	}
	if kind != "create" && kind != "invite" && kind != "import" {
		require.NotContains(t, op.Responses, "422", "%s: only an Idempotency-Key and a file are answered so", where)
	}
	for status, a := range op.Responses {
		require.NotEmpty(t, a.Description, where)
		switch {
		case status == "204":
			require.Empty(t, a.Content, where)
		case status[0] == '2':
			if !isFile(a.Content) {
				require.Contains(t, a.Content, "application/json", where)
				resolve(a.Content["application/json"].Schema)
			}
			if kind == "create" || kind == "replace" || kind == "update" {
				require.Contains(t, a.Headers, "ETag", where)
			}
			if status == "201" {
				require.Contains(t, a.Headers, "Location", where)
			}
		default:
			require.Len(t, a.Content, 1, where)
			require.Equal(t, "#/components/schemas/Problem", a.Content["application/problem+json"].Schema.Ref, "%s %s", where, status)
		}
	}
}

// exemplary requires that every member of an object shows what it may look like.
func exemplary(t *testing.T, where string, s schema) {
	t.Helper()
	require.Equal(t, "object", s.Type, where)
	require.Equal(t, false, s.Additional, "%s: what is unknown is refused", where)
	for name, p := range s.Properties {
		telling := p.Ref != "" || p.Items != nil || p.Format == "uuid" || p.Format == "date-time" || p.Type == "boolean" ||
			len(p.Enum) > 0 || len(p.Examples) > 0
		anything := where == "AuditEntry" && (name == "before" || name == "after") // a row of any table
		require.True(t, telling || anything, "%s: %s has no example", where, name)
	}
}

// TestDocumentNamesNoOwner keeps the wall out of clients' hands.
func TestDocumentNamesNoOwner(t *testing.T) {
	t.Parallel()
	text := string(document(t))
	for _, inner := range []string{"owner", "createdBy", "user_id", "seal"} {
		require.NotContains(t, text, inner)
	}
}
