package mailcatcher

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rowhouse/internal/mail"
)

//go:embed pages
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// Handler is the page:
//
//	GET    /                      the mails, newest first
//	GET    /mails/{id}            one, with its headers and links; /html and /raw its parts
//	POST   /clear                 forgets them
//	GET    /templates             every mail that Rowhouse can send, filled with samples
//	GET    /templates/{name}      one of them; /html its HTML
//	GET    /api/mails?to=&subject= as JSON, newest first
//	DELETE /api/mails             forgets them
//
// It answers only to a Host of this machine, so that a site elsewhere cannot read
// the mails by a name that it lets point here.
func (c *Catcher) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		mails := c.Mails()
		slices.Reverse(mails)
		show(w, "list.html", mails)
	})
	mux.HandleFunc("GET /mails/{id}", func(w http.ResponseWriter, r *http.Request) {
		c.one(w, r, func(m Mail) { show(w, "mail.html", m) })
	})
	mux.HandleFunc("GET /mails/{id}/html", func(w http.ResponseWriter, r *http.Request) {
		c.one(w, r, func(m Mail) { showHTML(w, m.HTML) })
	})
	mux.HandleFunc("GET /mails/{id}/raw", func(w http.ResponseWriter, r *http.Request) {
		c.one(w, r, func(m Mail) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write(m.Raw)
		})
	})
	mux.HandleFunc("POST /clear", func(w http.ResponseWriter, r *http.Request) {
		c.Clear()
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /templates", func(w http.ResponseWriter, _ *http.Request) { show(w, "templates.html", mail.Samples()) })
	mux.HandleFunc("GET /templates/{name}", func(w http.ResponseWriter, r *http.Request) {
		sample(w, r, func(s mail.Sample) { show(w, "template.html", s) })
	})
	mux.HandleFunc("GET /templates/{name}/html", func(w http.ResponseWriter, r *http.Request) {
		sample(w, r, func(s mail.Sample) { showHTML(w, s.Message.HTML) })
	})
	mux.HandleFunc("GET /api/mails", c.list)
	mux.HandleFunc("DELETE /api/mails", func(w http.ResponseWriter, _ *http.Request) {
		c.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "pages/style.css") })
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromHere(r.Host) {
			http.Error(w, "The mail catcher answers to localhost only.", http.StatusForbidden)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}))
}

func fromHere(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func show(w http.ResponseWriter, page string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, page, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// showHTML answers with a mail's HTML as it is: nothing of it may run, load
// anything, or be of this origin.
func showHTML(w http.ResponseWriter, html string) {
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(html))
}

func (c *Catcher) one(w http.ResponseWriter, r *http.Request, then func(Mail)) {
	id, err := strconv.Atoi(r.PathValue("id"))
	mails := c.Mails()
	i := slices.IndexFunc(mails, func(m Mail) bool { return m.ID == id })
	if err != nil || i < 0 {
		http.Error(w, "There is no such mail, or no longer.", http.StatusNotFound)
		return
	}
	then(mails[i])
}

func sample(w http.ResponseWriter, r *http.Request, then func(mail.Sample)) {
	samples := mail.Samples()
	i := slices.IndexFunc(samples, func(s mail.Sample) bool { return s.Name == r.PathValue("name") })
	if i < 0 {
		http.Error(w, "There is no such template.", http.StatusNotFound)
		return
	}
	then(samples[i])
}

func (c *Catcher) list(w http.ResponseWriter, r *http.Request) {
	to, subject := r.URL.Query().Get("to"), r.URL.Query().Get("subject")
	found := []Mail{}
	for _, m := range c.Mails() {
		if (to == "" || slices.ContainsFunc(m.To, func(a string) bool { return strings.EqualFold(a, to) })) && strings.Contains(m.Subject, subject) {
			found = append(found, m)
		}
	}
	slices.Reverse(found)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"mails": found})
}
