package httpapi

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"rowhouse/internal/errs"
	"rowhouse/internal/guard"
	"rowhouse/internal/problem"
)

// serveDocs serves the OpenAPI document and a reference to browse it with, all
// of it from this binary.
func (a *API) serveDocs(r chi.Router) {
	r.Get("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(a.document) // the caller may be gone
	})
	reference := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Rowhouse API", SwaggerJSON: "/openapi.json", BasePath: "/docs/", HideCurl: false,
	})
	r.Handle("/docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently))
	r.Handle("/docs/*", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// the page starts itself with an inline script
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'unsafe-inline'; "+
			"style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-cache")
		reference.ServeHTTP(w, r)
	}))
}

// alive says that the process runs; it asks nothing of the database.
func (a *API) alive(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}

// ready says whether requests can be served now. A server whose seal key was taken
// away while it ran must get none: every landlord would see an empty book.
func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	err := guard.CheckSeal(r.Context(), a.db)
	if guard.IsRefusal(err) {
		err = errs.New(errs.Unavailable, "seal_refused", "The database does not accept what this server says of its callers.").Because(err)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// tag groups operations in the reference: /units/{id} belongs to Units.
func tag(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.ToUpper(name[:1]) + name[1:]
}
