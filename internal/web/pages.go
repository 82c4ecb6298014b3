package web

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
)

// The pages are forms without a script but for one, the invite's: they work with the
// keyboard, a screen reader and nothing else, and their policy lets nothing in.
//
//go:embed pages static
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

const pagePolicy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// page is what a template gets.
type page struct {
	Name    string // of the template
	Status  int
	Policy  string            // Content-Security-Policy; "" means pagePolicy
	Problem string            // what went wrong, for a person
	Values  map[string]string // of the form, but for passwords
	Session *sessionView
}

func (s *Web) render(w http.ResponseWriter, p page) {
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, p.Name+".html", p); err != nil {
		panic(err) // our own templates
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", cmp.Or(p.Policy, pagePolicy))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text.Bytes()) // the caller may be gone
}

func static(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "static/"+name) }
}

// show is a page that anybody may see.
func (s *Web) show(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.render(w, page{Name: name, Status: http.StatusOK, Values: s.fromQuery(r.URL.Query())})
	}
}

// fromQuery is what a page's form takes over from its address.
func (s *Web) fromQuery(query url.Values) map[string]string {
	values := map[string]string{}
	if next := s.ownPath(query.Get("next")); next != "" {
		values["next"] = next
	}
	if invite := query.Get("invite"); invitePattern.MatchString(invite) {
		values["invite"] = invite
	}
	return values
}

// confirmPage is where links of mails lead. It changes nothing, however often it is
// opened: its button does.
func (s *Web) confirmPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	in := confirmInput{TokenHash: query.Get("token_hash"), Type: query.Get("type")}
	if len(in.check()) > 0 {
		s.fail(w, r, errLink)
		return
	}
	values := map[string]string{"tokenHash": in.TokenHash, "type": in.Type}
	if next := s.ownPath(query.Get("redirect_to")); next != "" {
		values["next"] = next
	}
	s.render(w, page{Name: "confirm", Status: http.StatusOK, Values: values})
}

// signedInPage is a page for who is signed in; others sign in first.
func (s *Web) signedInPage(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ss, err := s.load(w, r)
		if errors.Is(err, errNoSession) || errors.Is(err, errEnded) {
			http.Redirect(w, r, "/auth/sign-in?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		view := s.view(ss)
		s.render(w, page{Name: name, Status: http.StatusOK, Values: s.fromQuery(r.URL.Query()), Session: &view})
	}
}

// again shows the page whose form was not accepted, as it was filled in.
func (s *Web) again(w http.ResponseWriter, r *http.Request, name string, values map[string]string, err error) {
	p := problem.New(r.Context(), err)
	copyRetryAfter(w, p)
	for secret := range map[string]bool{"password": true, "currentPassword": true} {
		delete(values, secret)
	}
	if next := s.ownPath(values["next"]); next != "" {
		values["next"] = next
	} else {
		delete(values, "next")
	}
	s.render(w, page{Name: name, Status: p.Status, Problem: words(err, p), Values: values})
}

// fail shows that a link or a redirect leads nowhere.
func (s *Web) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.New(r.Context(), err)
	copyRetryAfter(w, p)
	s.render(w, page{Name: "failed", Status: p.Status, Problem: words(err, p)})
}

func copyRetryAfter(w http.ResponseWriter, p *problem.Problem) {
	if after := p.Headers.Get("Retry-After"); after != "" {
		w.Header().Set("Retry-After", after)
	}
}

// words are a problem's in one sentence; of several faults of a form, the first.
func words(err error, p *problem.Problem) string {
	if e, ok := errors.AsType[*errs.Error](err); ok && len(e.Fields) > 0 {
		switch e.Fields[0].Pointer {
		case "/email":
			return "Enter an e-mail address."
		case "/password":
			return "The password must have 10 characters at least and 72 bytes at most."
		}
	}
	return p.Detail
}
