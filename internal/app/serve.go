// Package app wires the parts together and runs them: it is the only package
// that knows them all.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"rowhouse/internal/auth"
	"rowhouse/internal/config"
	"rowhouse/internal/contractorsearch"
	"rowhouse/internal/db"
	"rowhouse/internal/guard"
	"rowhouse/internal/httpapi"
	"rowhouse/internal/mail"
	"rowhouse/internal/portcheck"
	"rowhouse/internal/roles"
	"rowhouse/internal/storage"
	"rowhouse/internal/web"
)

// Serve runs the API against the configured database and identity provider until
// ctx ends, and then lets the requests under way finish.
func Serve(ctx context.Context, cfg config.Config, version string) error {
	missing := cfg.Require("DATABASE_URL", "SEAL_KEYS", "INVITE_KEYS")
	switch {
	case cfg.JWKSURL == "" && cfg.JWTSecret == "":
		missing = errors.Join(missing, errors.New("SUPABASE_URL is not set (or JWKS_URL and JWT_ISSUER, or JWT_SECRET and JWT_ISSUER)"))
	case cfg.JWTIssuer == "":
		missing = errors.Join(missing, errors.New("JWT_ISSUER is not set (SUPABASE_URL would imply it)"))
	}
	if missing != nil {
		return missing
	}
	a, err := newAPI(ctx, cfg, version)
	if err != nil {
		return err
	}
	defer a.close()
	ln, err := portcheck.Listen(ctx, cfg.Addr)
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "serving", "addr", ln.Addr().String(), "version", version)
	return a.serve(ctx, ln, cfg.ShutdownTimeout)
}

type api struct {
	db     *db.DB
	tokens *auth.Verifier
	roles  *roles.Cache
	deafen func()   // ends the roles' listening
	web    *web.Web // nil for API clients alone
	mail   *mail.Sender
	http   *httpapi.API
}

func newAPI(ctx context.Context, cfg config.Config, version string) (*api, error) {
	// Before the database is waited for: bad settings show at once.
	tokens, err := auth.NewVerifier(ctx, auth.Config{
		JWKSURL: cfg.JWKSURL, Issuer: cfg.JWTIssuer, Audience: cfg.JWTAudience,
		LegacySecret: []byte(cfg.JWTSecret), Logger: slog.Default(),
	})
	if err != nil {
		return nil, err
	}
	contractors, err := outsideContractors(cfg, version)
	if err != nil {
		tokens.Close()
		return nil, err
	}
	isolation, err := isolationReporter(cfg, version)
	if err != nil {
		tokens.Close()
		return nil, err
	}
	signIn, err := openWeb(cfg)
	if err != nil {
		tokens.Close()
		return nil, err
	}
	d, err := openDB(ctx, cfg)
	if err != nil {
		tokens.Close()
		return nil, err
	}
	a := &api{db: d, tokens: tokens, roles: roles.New(nil), web: signIn, deafen: func() {}}
	mounts, err := a.mounts(ctx, cfg)
	if err != nil {
		a.close()
		return nil, err
	}
	files, err := openFiles(cfg)
	if err != nil {
		a.close()
		return nil, err
	}
	if err := checkDatabase(ctx, cfg.DatabaseURL, d); err != nil {
		a.close()
		return nil, err
	}
	a.listen(ctx)
	config := httpapi.Config{
		DB: d, Tokens: tokens, Roles: a.roles, Version: version, Files: files,
		RequestTimeout: cfg.RequestTimeout, RatePerMinute: cfg.RatePerMinute,
		EmailsProven: cfg.EmailsProven, InviteKeys: cfg.InviteKeys,
		Contractors: contractors, Isolation: isolation, Mounts: mounts,
		FilesInSession: cfg.StorageBucket != "", DeletionGrace: cfg.DeletionGrace,
	}
	if a.web != nil {
		config.Session = a.web.Session
	}
	a.http, err = httpapi.New(config)
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// openWeb is nil unless there are keys for browsers' sessions.
func openWeb(cfg config.Config) (*web.Web, error) {
	if cfg.SessionKeys.Empty() {
		return nil, nil
	}
	if err := cfg.Require("PUBLIC_URL", "SUPABASE_URL", "SUPABASE_ANON_KEY"); err != nil {
		return nil, fmt.Errorf("SESSION_KEYS is set: %w", err)
	}
	return web.New(web.Config{
		PublicURL: cfg.PublicURL, Keys: cfg.SessionKeys, SupabaseURL: cfg.SupabaseURL, SupabaseAnonKey: cfg.SupabaseAnonKey,
		Idle: cfg.SessionIdle, Lifetime: cfg.SessionLifetime, RatePerMinute: cfg.RatePerMinute,
		SignupsClosed: cfg.SignupsClosed,
	})
}

// openFiles opens the place for tickets' files: the bucket, if one is named.
func openFiles(cfg config.Config) (storage.Store, error) {
	if cfg.StorageBucket == "" {
		return storage.NewDisk(cfg.StorageDir) // open as long as the process lives
	}
	if err := cfg.Require("SUPABASE_URL", "SUPABASE_ANON_KEY"); err != nil {
		return nil, fmt.Errorf("STORAGE_BUCKET is set: %w", err)
	}
	return storage.NewSupabase(cfg.SupabaseURL, cfg.SupabaseAnonKey, cfg.StorageBucket), nil
}

// outsideContractors is nil unless a server is configured.
func outsideContractors(cfg config.Config, version string) (contractorsearch.Provider, error) {
	if cfg.OverpassURL == "" {
		return nil, nil
	}
	overpass, err := contractorsearch.NewOverpass(cfg.OverpassURL, version)
	if err != nil {
		return nil, fmt.Errorf("OVERPASS_URL: %w", err)
	}
	return overpass, nil
}

// listen lets this process hear, until it is closed, of roles that others change.
func (a *api) listen(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { a.roles.Listen(ctx, a.db) })
	a.deafen = func() {
		cancel()
		wg.Wait()
	}
}

func (a *api) close() {
	a.deafen()
	a.tokens.Close()
	a.db.Close()
	if a.mail != nil {
		a.mail.Close()
	}
}

// serve answers on ln until ctx ends, and returns nil when every request under
// way then has finished in time.
func (a *api) serve(ctx context.Context, ln net.Listener, grace time.Duration) error {
	srv := &http.Server{
		Handler: a.http,
		// a client that trickles its request holds a goroutine and no connection to
		// the database; these bound even that
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      40 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // tokens above 16 KB shall get an answer that says so
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	slog.InfoContext(ctx, "stopping: no new requests, those under way finish", "within", grace)
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := srv.Shutdown(wait); err != nil {
		return fmt.Errorf("some requests did not finish in %s: %w", grace, errors.Join(err, srv.Close()))
	}
	if a.web != nil {
		return a.web.Close(wait)
	}
	return nil
}

func openDB(ctx context.Context, cfg config.Config) (*db.DB, error) {
	return db.Open(ctx, db.Config{
		URL: cfg.DatabaseURL, Keys: cfg.SealKeys, Pooler: cfg.DatabasePooler, MaxConns: cfg.DatabaseMaxConns,
	})
}

// checkDatabase waits for the database to answer, and refuses it when it would
// not keep landlords apart.
func checkDatabase(ctx context.Context, url string, d *db.DB) error {
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		warnings, err := guard.Check(ctx, url)
		if err == nil {
			err = guard.CheckSeal(ctx, d)
		}
		if err == nil {
			for _, w := range warnings {
				slog.WarnContext(ctx, w)
			}
			return nil
		}
		if guard.IsRefusal(err) {
			return err
		}
		slog.WarnContext(ctx, "the database does not answer; trying again", "in", wait, "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for the database: %w", err)
		case <-time.After(wait):
		}
	}
}
