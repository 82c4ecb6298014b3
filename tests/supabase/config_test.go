// Package supabase tests the folder supabase/: that Supabase's own program takes
// it as it is meant, and that the SQL in it does what its README says.
package supabase

import (
	"bytes"
	"encoding/json"
	"html"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	supabasecli "rowhouse/tests/supabase-cli"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

const (
	app         = "https://rowhouse.example.com"
	hookSecrets = "v1,whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=|v1,whsec_c2Vjb25kLXNlY3JldC1vZi0yNC1ieXRlcw=="
)

// project is a copy of our folder, with the configuration changed by edit.
func project(t testing.TB, edit ...string) string {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "supabase")
	require.NoError(t, os.CopyFS(folder, os.DirFS("../../supabase")))
	file := filepath.Join(folder, "config.toml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for i := 0; i < len(edit); i += 2 {
		require.Contains(t, string(text), edit[i])
		text = []byte(strings.Replace(string(text), edit[i], edit[i+1], 1))
	}
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return dir
}

// push has the program send the project's configuration to a service of ours that
// answers as Supabase's does for a fresh project, and refuses every change: what
// was to change is known by then. It returns that, by path, and what was said.
func push(t testing.TB, dir string) (changes map[string]map[string]any, said string) {
	t.Helper()
	changes = map[string]map[string]any{}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch path := strings.TrimPrefix(r.URL.Path, "/v1/projects/abcdefghijklmnopqrst"); {
		case r.Method != http.MethodGet:
			var change map[string]any
			if body, err := io.ReadAll(r.Body); err == nil {
				_ = json.Unmarshal(body, &change) // then it is nil, and missed
			}
			changes[r.Method+" "+path] = change
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"message":"changes are only looked at"}`)
		case path == "/billing/addons":
			_, _ = io.WriteString(w, `{"selected_addons":[],"available_addons":[]}`)
		case strings.HasPrefix(path, "/v2/"):
			_, _ = io.WriteString(w, `{"data":{"attributes":{"auth":{"site_url":"http://localhost:3000"}}}}`)
		default:
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	defer service.Close()
	profile := filepath.Join(t.TempDir(), "profile.yaml")
	require.NoError(t, os.WriteFile(profile, []byte("name: test\napi_url: "+service.URL+
		"\ndashboard_url: "+service.URL+"\nproject_host: example.com\n"), 0o600))

	var output bytes.Buffer
	cmd := supabasecli.Command(t, dir, "config", "push", "--profile", profile, "--remote=abcdefghijklmnopqrst")
	cmd.Env = append(cmd.Env, "AUTH_HOOK_SECRETS="+hookSecrets, "SUPABASE_ACCESS_TOKEN=sbp_"+strings.Repeat("0", 40))
	cmd.Stdout, cmd.Stderr = &output, &output
	require.Error(t, cmd.Run(), &output) // our service, or the program, refuses
	return changes, output.String()
}

var mails = []string{
	"confirmation", "recovery", "invite", "magic_link", "email_change", "reauthentication",
	"password_changed_notification", "email_changed_notification", "identity_linked_notification",
	"identity_unlinked_notification", "mfa_factor_enrolled_notification", "mfa_factor_unenrolled_notification",
}

// TestConfig: the program knows every key, and makes of them what Rowhouse needs.
func TestConfig(t *testing.T) {
	t.Parallel()
	changes, said := push(t, project(t))
	require.NotContains(t, said, "WARN")
	require.Len(t, changes, 1, said)
	got := changes["PATCH /config/auth"]
	// The program says nothing of a template that no mail has.
	for _, mail := range mails {
		subject, content := "mailer_subjects_"+mail, "mailer_templates_"+mail+"_content"
		require.NotEmpty(t, got[subject], mail)
		require.Contains(t, got[content], "</p>", mail)
		delete(got, subject)
		delete(got, content)
	}
	require.Equal(t, map[string]any{
		"site_url": app, "uri_allow_list": app + "/**",
		"jwt_exp": 900.0, "refresh_token_rotation_enabled": true, "security_refresh_token_reuse_interval": 10.0,
		"disable_signup": false, "external_anonymous_users_enabled": false, "external_phone_enabled": false, "external_email_enabled": true,
		"security_manual_linking_enabled": false, "password_min_length": 10.0,
		"mailer_autoconfirm": false, "mailer_secure_email_change_enabled": true, "security_update_password_require_reauthentication": true,
		"smtp_max_frequency": 60.0, "mailer_otp_length": 6.0, "mailer_otp_exp": 3600.0,
		"rate_limit_token_refresh": 1800.0, "rate_limit_otp": 600.0, "rate_limit_verify": 600.0,
		"mfa_max_enrolled_factors": 10.0, "mfa_totp_enroll_enabled": true, "mfa_totp_verify_enabled": true,
		"mfa_phone_enroll_enabled": false, "mfa_phone_verify_enabled": false,
		"hook_before_user_created_enabled": true, "hook_before_user_created_secrets": hookSecrets,
		"hook_before_user_created_uri":     app + "/hooks/auth/before-user-created",
		"hook_custom_access_token_enabled": true, "hook_custom_access_token_secrets": hookSecrets,
		"hook_custom_access_token_uri": app + "/hooks/auth/custom-access-token",
		"hook_send_email_enabled":      true, "hook_send_email_secrets": hookSecrets,
		"hook_send_email_uri":                           app + "/hooks/auth/send-email",
		"mailer_notifications_password_changed_enabled": true, "mailer_notifications_email_changed_enabled": true,
		"mailer_notifications_identity_linked_enabled": true, "mailer_notifications_identity_unlinked_enabled": true,
		"mailer_notifications_mfa_factor_enrolled_enabled": true, "mailer_notifications_mfa_factor_unenrolled_enabled": true,
	}, got)
}

// TestConfigMistakes: TestConfig would notice a mistake in the file.
func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, says string }{
		"misspelt key":     {"jwt_expiry =", "jwt_expirey =", "does not recognize and ignores: auth.jwt_expirey"},
		"misspelt hook":    {"[auth.hook.send_email]", "[auth.hook.send_mail]", "does not recognize and ignores: auth.hook.send_mail"},
		"missing template": {"templates/recovery.html", "templates/recover.html", "recover.html"},
		"wrong type":       {"jwt_expiry = 900", `jwt_expiry = "soon"`, "auth.jwt_expiry"},
		"hook over http":   {`uri = "https://rowhouse`, `uri = "ftp://rowhouse`, "auth.hook.before_user_created.uri"},
		"malformed secret": {`secrets = "env(AUTH_HOOK_SECRETS)"`, `secrets = "hush"`, "auth.hook.before_user_created.secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, said := push(t, project(t, c.old, c.new))
			require.Contains(t, said, c.says)
		})
	}
}

// TestTemplates: their links lead to the app's page with all that it needs, and
// nothing that is filled in can become markup or a further parameter.
func TestTemplates(t *testing.T) {
	t.Parallel()
	const nasty = `a&b=c"><script>d</script> e`
	files, err := filepath.Glob("../../supabase/templates/*.html")
	require.NoError(t, err)
	types := map[string]string{
		"confirmation.html": "signup", "recovery.html": "recovery", "invite.html": "invite",
		"magic_link.html": "magiclink", "email_change.html": "email_change",
	}
	for _, file := range files {
		// as the service does it, with the values that it knows
		page, err := template.New(filepath.Base(file)).Option("missingkey=error").ParseFiles(file)
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, page.Execute(&out, map[string]any{
			"SiteURL": app, "Token": "123456", "TokenHash": "pkce_0123abcd", "RedirectTo": app + "/x?" + nasty,
			"Email": nasty, "NewEmail": nasty, "OldEmail": nasty, "Provider": nasty, "FactorType": nasty,
		}))
		links := linksOf(out.String())
		require.NotContains(t, out.String(), "<script", file)
		if kind, ok := types[page.Name()]; ok {
			require.Len(t, links, 1, file)
			link, err := url.Parse(links[0])
			require.NoError(t, err)
			require.Equal(t, app+"/auth/confirm", link.Scheme+"://"+link.Host+link.Path)
			require.Equal(t, url.Values{
				"token_hash": {"pkce_0123abcd"}, "type": {kind}, "redirect_to": {app + "/x?" + nasty},
			}, link.Query(), file)
			delete(types, page.Name())
		} else {
			require.NotContains(t, out.String(), "pkce_", file)
			require.False(t, slices.ContainsFunc(links, func(l string) bool { return l != app }), file)
		}
	}
	require.Empty(t, types, "templates that are missing")
}

var href = regexp.MustCompile(`href="([^"]*)"`)

func linksOf(page string) (links []string) {
	for _, match := range href.FindAllStringSubmatch(page, -1) {
		links = append(links, html.UnescapeString(match[1]))
	}
	return links
}
