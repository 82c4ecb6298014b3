// Package httpapi is the JSON API under /api/v1, its OpenAPI document and the
// reference to read it by.
//
// Handlers run their queries inside db.As… and hold no ownership check: what is
// another landlord's is not there.
package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"rowhouse/internal/auth"
	"rowhouse/internal/contractorsearch"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/imports"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/isolationreport"
	"rowhouse/internal/problem"
	"rowhouse/internal/ratelimit"
	"rowhouse/internal/roles"
	"rowhouse/internal/storage"
	"rowhouse/internal/takeout"
)

// Config is what New needs; every field is required unless it says otherwise.
type Config struct {
	DB      *db.DB
	Tokens  *auth.Verifier
	Version string // of the build, for the document
	Files   storage.Store

	// RequestTimeout bounds a request's work; 0 means 15 s.
	RequestTimeout time.Duration
	// RatePerMinute bounds the requests of one user to this process, and those from
	// one address that need no sign-in; 0 means no bound.
	RatePerMinute int

	// Isolation reports on how landlords are kept apart; nil knows of nothing, and says
	// so.
	Isolation *isolationreport.Reporter

	// Roles remembers what callers are; nil asks the database each time.
	Roles *roles.Cache

	// Contractors is whom to ask for contractors beside the landlord's own book; nil
	// for nobody.
	Contractors contractorsearch.Provider
	// Now tells the time by which found contractors expire; nil means time.Now.
	Now func() time.Time

	// EmailsProven says that the provider lets nobody in before they have proven
	// their address. Without that (Supabase Auth with autoconfirm) anybody could claim
	// anybody's invite, so none can be claimed.
	EmailsProven bool
	// InviteKeys make the tokens of invites; the worker, which mails them, has the same.
	InviteKeys invitetoken.Keyring

	// FilesInSession says that Files open to their landlord's session alone: what a job
	// can't do with them, that landlord's own requests go on with.
	FilesInSession bool
	// DeletionGrace is how long who deletes their account may think it over; with 0,
	// removal begins as soon as the export is there.
	DeletionGrace time.Duration

	// Session, if not nil, stands before everything that needs a token and may give the
	// request one: the session that a browser has with us, as an Authorization header.
	Session func(http.Handler) http.Handler
	// Mounts are handlers of other parts, by the path that everything of theirs begins
	// with. They get what all requests get: an id, a line in the log, a time limit.
	Mounts map[string]http.Handler
}

// API answers requests.
type API struct {
	db       *db.DB
	files    storage.Store
	profiles *profiles
	roles    *roles.Cache
	document []byte
	found    contractorSearch
	report   *isolationreport.Reporter
	leaving  leaving

	imports   *imports.Importer
	importing chan struct{} // holds an item for each file that is being read

	spools  spools
	takeout *takeout.Takeout

	emailsProven bool
	inviteKeys   invitetoken.Keyring

	http.Handler
}

// prefix is where the API's operations live.
const prefix = "/api/v1"

// New returns the API with its routes.
func New(c Config) (*API, error) {
	replaceHumaErrors()
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 15 * time.Second
	}
	a := &API{db: c.DB, files: c.Files, found: newContractorSearch(c), profiles: newProfiles(c.DB), emailsProven: c.EmailsProven, inviteKeys: c.InviteKeys}
	a.imports, a.importing = imports.New(c.DB, c.InviteKeys), make(chan struct{}, importsAtOnce)
	a.spools, a.takeout = newSpools(), takeout.New(c.DB, c.Files)
	if c.InviteKeys.Empty() {
		return nil, errors.New("httpapi: there is no invite key")
	}
	if c.Roles == nil {
		c.Roles = roles.New(nil) // remembers nothing unless it listens
	}
	a.roles = c.Roles
	if c.Isolation == nil {
		c.Isolation = isolationreport.New(isolationreport.Config{Version: c.Version})
	}
	a.report = c.Isolation
	a.leaving = newLeaving(c)

	r := chi.NewRouter()
	r.Use(withRequestID, logRequests, recoverPanics, secureHeaders, withTimeout(c.RequestTimeout))
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, errs.New(errs.NotFound, "not_found", "There is nothing here."))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		e := problem.New(req.Context(), errs.New(errs.Invalid, "method_not_allowed", "This address does not take that method."))
		e.Status, e.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
		e.Headers.Set("Allow", strings.Join(allowed(r, req.URL.Path), ", "))
		e.Write(w)
	})
	r.Get("/healthz", a.alive)
	r.Get("/readyz", a.ready)

	for path, h := range c.Mounts {
		r.Mount(path, h)
	}

	r.With(ratelimit.ByNetwork(c.RatePerMinute)).Get(reportKeysPath, a.isolationReportKeys)

	described := humaConfig(c.Version) // one document for both groups
	r.Group(func(r chi.Router) {
		r.Use(ratelimit.ByNetwork(c.RatePerMinute), plainQuery, plainBody)
		a.publicRoutes(humachi.New(r, described))
	})
	var api huma.API
	r.Group(func(r chi.Router) {
		if c.Session != nil {
			r.Use(c.Session)
		}
		r.Use(authenticate(c.Tokens), limitRate(c.RatePerMinute), plainQuery, plainBody)
		api = humachi.New(r, described)
		api.UseMiddleware(a.admit)
		a.routes(api)
	})
	document, err := api.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, err
	}
	a.document = document
	a.serveDocs(r)
	a.Handler = r
	return a, nil
}

// allowed returns the methods that path takes.
func allowed(routes chi.Routes, path string) (methods []string) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			methods = append(methods, method)
		}
	}
	return methods
}

// Document returns the OpenAPI 3.1 document as JSON.
func (a *API) Document() []byte { return a.document }

// routes is the API's table of contents.
func (a *API) routes(api huma.API) {
	get(api, "/me", "getMe", "Show your profile", a.getMe)
	change(api, http.MethodPatch, "/me", "updateMe", "Change your profile", a.patchMe)

	a.onboardingRoutes(api)
	a.accountRoutes(api)

	list(api, "/dashboard", "getDashboard", "Show what there is and what waits to be done", a.getDashboard)
	list(api, "/search", "search", "Search among all that is yours", a.search)
	list(api, "/audit", "listAudit", "List who changed what, newest first", a.listAudit)
	list(api, "/security/isolation-report", "getIsolationReport", "Show how you are kept apart from other landlords, and how that was checked", a.isolationReport)

	list(api, "/units", "listUnits", "List your units", a.listUnits)
	keep(api, a.db, unitsResource)

	list(api, "/properties", "listProperties", "List your properties", a.listProperties)
	keep(api, a.db, propertiesResource)

	a.found.routes(api)

	list(api, "/tenants", "listTenants", "List your tenants", a.listTenants)
	keep(api, a.db, tenantsResource)

	list(api, "/tenancies", "listTenancies", "List your tenancies", a.listTenancies)
	keep(api, a.db, tenanciesResource)

	list(api, "/contractors", "listContractors", "List your contractors", a.listContractors)
	keep(api, a.db, contractorsResource)

	list(api, "/tickets", "listTickets", "List your tickets", a.listTickets)
	create(api, "/tickets", "createTicket", "Add a ticket", a.createTicket)
	tickets := ticketsResource
	tickets.afterwards = a.ticketFiles
	keepMade(api, a.db, tickets)
	get(api, "/tickets/{id}/timeline", "getTicketTimeline", "Show what happened to a ticket", a.ticketTimeline)
	get(api, "/tickets/{id}/comments", "listComments", "List a ticket's comments", a.listComments)
	create(api, "/tickets/{id}/comments", "createComment", "Add a comment", a.createComment)
	keepMade(api, a.db, commentsResource)

	a.inviteRoutes(api)
	a.claimRoutes(api)
	a.portalRoutes(api)
	a.importRoutes(api)
	a.exportRoutes(api)
	a.takeoutRoutes(api)
	a.attachmentRoutes(api)
	a.supportGrantRoutes(api)
	a.supportRoutes(api)
}

// What every operation may answer, whatever it does.
var commonErrors = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusTooManyRequests,
	http.StatusInternalServerError, http.StatusServiceUnavailable,
}

type handler[I, O any] func(context.Context, *I) (*O, error)

func get[I, O any](api huma.API, path, id, summary string, h handler[I, O]) {
	register(api, http.MethodGet, path, id, summary, http.StatusOK, h, http.StatusNotFound)
}

// public is get for what needs no token.
func public[I, O any](api huma.API, path, id, summary string, h handler[I, O]) {
	get(api, path, id, summary, h)
	operation := api.OpenAPI().Paths[prefix+path].Get
	operation.Security = []map[string][]string{}
	delete(operation.Responses, strconv.Itoa(http.StatusUnauthorized))
}

func list[I, O any](api huma.API, path, id, summary string, h handler[I, O]) {
	register(api, http.MethodGet, path, id, summary, http.StatusOK, h)
}

func create[I, O any](api huma.API, path, id, summary string, h handler[I, O]) {
	serve(api, creation(path, id, summary), h)
}

func creation(path, id, summary string) huma.Operation {
	return describe(http.MethodPost, path, id, summary, http.StatusCreated, http.StatusForbidden, http.StatusConflict,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
}

func change[I, O any](api huma.API, method, path, id, summary string, h handler[I, O]) {
	serve(api, changing(method, path, id, summary), h)
}

func changing(method, path, id, summary string) huma.Operation {
	return describe(method, path, id, summary, http.StatusOK, http.StatusForbidden, http.StatusConflict,
		http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
}

func remove[I, O any](api huma.API, path, id, summary string, h handler[I, O]) {
	serve(api, sensitive(describe(http.MethodDelete, path, id, summary, http.StatusNoContent, http.StatusForbidden,
		http.StatusConflict, http.StatusPreconditionFailed)), h)
}

// sensitive marks an operation that destroys, does much at once, or opens books to
// others. Landlords may want a second factor for all of these.
func sensitive(o huma.Operation) huma.Operation {
	o.Description = strings.TrimSpace(o.Description + "\n\nAnswers 403 mfa_required to a session without a second factor, if you have asked for that with requireMfa.")
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		next(huma.WithContext(ctx, db.DemandSecondFactor(ctx.Context())))
	})
	return o
}

func register[I, O any](api huma.API, method, path, id, summary string, status int, h handler[I, O], failures ...int) {
	serve(api, describe(method, path, id, summary, status, failures...), h)
}

func describe(method, path, id, summary string, status int, failures ...int) huma.Operation {
	if asksWho(path) && !slices.Contains(failures, http.StatusForbidden) {
		failures = append(failures, http.StatusForbidden)
	}
	return huma.Operation{
		Method: method, Path: prefix + path, OperationID: id, Summary: summary, DefaultStatus: status,
		Tags:         []string{tag(path)},
		Responses:    map[string]*huma.Response{}, // filled by huma
		Errors:       append(failures, commonErrors...),
		MaxBodyBytes: maxBodyBytes,
		Security:     []map[string][]string{{"bearer": {}}},
	}
}

func serve[I, O any](api huma.API, operation huma.Operation, h handler[I, O]) {
	huma.Register(api, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problem.New(ctx, err)
		}
		return out, nil
	})
	if !slices.Contains(operation.Errors, http.StatusUnprocessableEntity) {
		// huma's own status for a bad request, which we answer with 400
		delete(operation.Responses, strconv.Itoa(http.StatusUnprocessableEntity))
	}
}

func humaConfig(version string) huma.Config {
	cfg := huma.DefaultConfig("Rowhouse API", version)
	cfg.Info.Description = "Property management for landlords. Every answer holds your own rows and nobody else's: " +
		"what is another landlord's is answered exactly as what does not exist."
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", "", nil        // served by serveDocs
	cfg.Formats = map[string]huma.Format{"application/json": strictJSON, "json": strictJSON} // the latter for …+json
	cfg.RejectUnknownQueryParameters = true
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"bearer": {
		Type: "http", Scheme: "bearer", BearerFormat: "JWT",
		Description: "An access token of the identity provider (Supabase Auth).",
	}}
	return cfg
}

// replaceHumaErrors makes huma speak our problems. Its hooks are package
// variables (danielgtaylor/huma issue 352), so it is done once.
var replaceHumaErrors = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, details ...error) huma.StatusError {
		return invalidRequest(ctx.Context(), status, details)
	}
	// called without a request only to learn the shape of errors for the document
	huma.NewError = func(status int, message string, details ...error) huma.StatusError {
		if len(details) > 0 {
			return problem.New(context.Background(), errors.Join(details...))
		}
		return &problem.Problem{Status: status, Detail: message}
	}
})
