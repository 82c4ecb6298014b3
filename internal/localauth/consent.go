package localauth

import (
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"

	"github.com/google/uuid"
)

// consentPath is the page that plays every OAuth provider: the developer types
// whom the provider would have signed in.
const consentPath = "/local-provider"

// identityOf is what the provider says of who consented.
type identityOf struct {
	Provider string `json:"provider"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	Verified bool   `json:"verified"` // the provider vouches for the address
}

// subject is the provider's id: the same for the same address.
func (i identityOf) subject() string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(i.Provider+":"+i.Email)).String()
}

func (i identityOf) claims(issuer string) map[string]any {
	claims := map[string]any{
		"iss": issuer + consentPath, "sub": i.subject(), "provider_id": i.subject(),
		"email": i.Email, "email_verified": i.Verified, "phone_verified": false,
	}
	if i.Name != "" {
		claims["name"], claims["full_name"] = i.Name, i.Name
	}
	return claims
}

// The form's target is the page itself. No script and nothing from elsewhere.
var consentPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in with {{.Provider}}</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem }
  label { display: block; margin: 1rem 0 }
  input:not([type=checkbox]) { display: block; width: 100%; font: inherit; box-sizing: border-box }
  button { font: inherit }
</style>
<h1>Sign in with {{.Provider}}</h1>
<p>This page plays {{.Provider}} on this machine: whoever you name is signed in.</p>
<form method="post">
  <input type="hidden" name="provider" value="{{.Provider}}">
  <input type="hidden" name="state" value="{{.State}}">
  <label>Email address <input name="email" type="email" required autofocus autocomplete="off"></label>
  <label>Name <input name="name" autocomplete="off"></label>
  <label><input name="verified" type="checkbox" value="true" checked> {{.Provider}} has verified the address</label>
  <button name="consent" value="yes">Continue</button>
  <button name="consent" value="no" formnovalidate>Cancel</button>
</form>
</html>
`))

func (s *Server) consent(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	query := r.URL.Query()
	return consentPage.Execute(w, struct{ Provider, State string }{query.Get("provider"), query.Get("state")})
}

// consented goes back to the callback. The code that a provider would keep the
// identity under is the identity itself.
func (s *Server) consented(w http.ResponseWriter, r *http.Request) error {
	back := url.Values{"state": {r.PostFormValue("state")}}
	if r.PostFormValue("consent") == "no" {
		back.Set("error", "access_denied")
		back.Set("error_description", "The user denied the request")
	} else {
		text, err := json.Marshal(identityOf{
			Provider: r.PostFormValue("provider"), Email: r.PostFormValue("email"), Name: r.PostFormValue("name"),
			Verified: r.PostFormValue("verified") == "true",
		})
		if err != nil {
			return err
		}
		back.Set("code", base64.RawURLEncoding.EncodeToString(text))
	}
	http.Redirect(w, r, s.cfg.ExternalURL+"/callback?"+back.Encode(), http.StatusSeeOther)
	return nil
}

// parseConsent is where the real service asks the provider about a code.
func (s *Server) parseConsent(code, provider string) (identityOf, error) {
	if code == "" {
		return identityOf{}, fail(http.StatusBadRequest, "bad_oauth_callback", "OAuth callback with missing authorization code missing")
	}
	unable := fail(http.StatusInternalServerError, "unexpected_failure", "Unable to exchange external code: %.4s", code)
	text, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil {
		return identityOf{}, unable.because(err)
	}
	var who identityOf
	if err := json.Unmarshal(text, &who); err != nil {
		return identityOf{}, unable.because(err)
	}
	if who.Provider != provider {
		return identityOf{}, unable
	}
	if who.Email == "" {
		return identityOf{}, fail(http.StatusInternalServerError, "unexpected_failure", "Error getting user email from external provider")
	}
	if who.Email, err = normalEmail(who.Email); err != nil {
		return identityOf{}, err
	}
	return who, nil
}
