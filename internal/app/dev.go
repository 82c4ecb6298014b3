package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"rowhouse/internal/config"
	"rowhouse/internal/isolationreport"
	"rowhouse/internal/localauth"
	"rowhouse/internal/localpg"
	"rowhouse/internal/migrate"
	"rowhouse/internal/portcheck"
	"rowhouse/internal/seed"
)

// devGrace is how long requests may go on after Ctrl-C: everything, Postgres
// included, has to be gone within 5 s.
const devGrace = time.Second

// Dev runs the whole product on this machine until ctx ends: Postgres (unless
// DATABASE_URL names one), a stand-in for Supabase Auth that calls our hooks,
// migrations, demo data on the first start, and the API. It prints to out where
// everything is.
func Dev(ctx context.Context, cfg config.Config, version string, out io.Writer) (err error) {
	defer func() { err = unlessStopped(ctx, err) }()
	// Opened first: when another instance runs, nothing has been touched yet.
	listener, err := portcheck.Listen(ctx, cfg.Addr)
	if err != nil {
		return fmt.Errorf("the API's port (ADDR): %w", err)
	}
	defer listener.Close()
	authListener, err := portcheck.Listen(ctx, cfg.DevAuthAddr)
	if err != nil {
		return fmt.Errorf("the local auth's port (DEV_AUTH_ADDR): %w", err)
	}
	defer authListener.Close()
	mails, err := openCatcher(ctx, &cfg)
	if err != nil {
		return err
	}
	defer mails.close()

	dir, err := filepath.Abs(cfg.DevDir)
	if err != nil {
		return err
	}
	secrets, err := loadSecrets(dir)
	if err != nil {
		return err
	}
	adminURL := cfg.MigrateDatabaseURL
	if cfg.DatabaseURL == "" {
		server, err := localpg.Start(ctx, localpg.Options{
			Dir: filepath.Join(dir, "postgres"), Port: cfg.DevPostgresPort, BinDir: cfg.PGBin,
			Password: secrets.Superuser, Log: out,
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(unlessStopped(ctx, err), server.Stop()) }()
		adminURL = server.URL("postgres")
	}
	if cfg, err = devConfig(cfg, adminURL, secrets); err != nil {
		return err
	}
	if err := migrate.Up(ctx, adminURL, migrate.Options{
		Keys: cfg.SealKeys, Pooler: cfg.DatabasePooler, Passwords: cfg.Passwords(), Logger: slog.Default(),
	}); err != nil {
		return err
	}

	if cfg.PublicURL == "" {
		cfg.PublicURL = localURL(listener)
	}
	cfg = devHooks(cfg, secrets)
	authServer, closePool, err := startAuth(ctx, cfg, localURL(listener), adminURL, dir, secrets)
	if err != nil {
		return err
	}
	defer closePool()
	anonKey, err := authServer.AnonKey()
	if err != nil {
		return err
	}
	cfg = cfg.WithSupabase(localURL(authListener), anonKey)
	cfg.EmailsProven = true // nobody but the one at this machine can sign up

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return mails.run(running) })
	group.Go(func() error { return runWorker(running, cfg) })
	group.Go(func() error { return authServer.Serve(running, authListener) })
	group.Go(func() error {
		a, err := newAPI(running, cfg, version)
		if err != nil {
			return err
		}
		defer a.close()
		// Serving first: whoever signs up for the demo data does so through our hooks.
		group, running := errgroup.WithContext(running)
		group.Go(func() error {
			err := a.serve(running, listener, devGrace)
			if errors.Is(err, context.DeadlineExceeded) {
				return nil // requests were cut off, as the one who pressed Ctrl-C expects
			}
			return err
		})
		group.Go(func() error {
			addresses, err := seed.Run(running, a.db, cfg.SupabaseURL, anonKey, seed.Size{Landlords: 2, Properties: 2, Units: 3})
			if err != nil {
				return err
			}
			printDev(out, cfg, listener.Addr(), anonKey, mails.where(), addresses)
			return nil
		})
		return group.Wait()
	})
	return group.Wait()
}

// unlessStopped is err, or nil when it only says that the user pressed Ctrl-C
// while dev was still starting.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// devConfig fills in what dev makes up itself: the API's own login and keys.
func devConfig(cfg config.Config, adminURL string, s secrets) (config.Config, error) {
	if len(cfg.SealKeys.Keys()) == 0 {
		cfg.SealKeys = s.keyring
	}
	if cfg.IsolationReportKeys == "" {
		key, err := isolationreport.GenerateKey() // another with each start
		if err != nil {
			return cfg, err
		}
		cfg.IsolationReportKeys = key
	}
	if cfg.SessionKeys.Empty() {
		cfg.SessionKeys = s.sessions
	}
	if cfg.InviteKeys.Empty() {
		cfg.InviteKeys = s.inviteKeys
	}
	named := cfg.DatabaseURL != "" && cfg.MigrateDatabaseURL != cfg.DatabaseURL // by the operator
	u, err := url.Parse(adminURL)
	if err != nil {
		return cfg, errors.New("DATABASE_URL: not a valid Postgres URL")
	}
	if !named {
		cfg.APIPassword = cmp.Or(cfg.APIPassword, s.API)
		u.User = url.UserPassword("rowhouse_api", cfg.APIPassword)
		cfg.DatabaseURL = u.String()
	}
	if cfg.WorkerDatabaseURL == "" {
		cfg.WorkerPassword = cmp.Or(cfg.WorkerPassword, s.Worker)
		u.User = url.UserPassword("rowhouse_worker", cfg.WorkerPassword)
		cfg.WorkerDatabaseURL = u.String()
	}
	return cfg, nil
}

func startAuth(ctx context.Context, cfg config.Config, api, adminURL, dir string, s secrets) (*localauth.Server, func(), error) {
	admin, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to set up local auth: %w", err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if err := localauth.Setup(ctx, admin, s.Auth); err != nil {
		return nil, nil, err
	}
	u, err := url.Parse(adminURL)
	if err != nil {
		return nil, nil, errors.New("DATABASE_URL: not a valid Postgres URL")
	}
	u.User = url.UserPassword("supabase_auth_admin", s.Auth)
	pool, err := pgxpool.New(ctx, u.String())
	if err != nil {
		return nil, nil, fmt.Errorf("open pool of local auth: %w", err)
	}
	_, port, _ := net.SplitHostPort(cfg.DevAuthAddr) // it listens there already
	hooks, webhook := hooksOf(api, cfg)
	server, err := localauth.New(localauth.Config{
		Addr: cfg.DevAuthAddr, Pool: pool, Autoconfirm: true, MailLinks: true, KeyFile: filepath.Join(dir, "auth-keys.json"),
		SiteURL: cfg.PublicURL, ExternalURL: "http://localhost:" + port + "/auth/v1", Logger: slog.Default(),
		OAuthProviders: []string{"google", "github"}, Hooks: hooks, Webhook: webhook,
	})
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return server, pool.Close, nil
}

func printDev(out io.Writer, cfg config.Config, addr net.Addr, anonKey, mails string, landlords []string) {
	_, port, _ := net.SplitHostPort(addr.String())
	psql, _ := url.Parse(cfg.DatabaseURL)
	fmt.Fprintf(out, `
Rowhouse runs on this machine. Stop it with Ctrl-C; what it keeps is in %[1]s.

  Sign in        http://localhost:%[2]s/auth/sign-in
  Sign up        http://localhost:%[2]s/auth/sign-up (the mail with the link comes to Mail)
  API            http://localhost:%[2]s/api/v1
  API reference  http://localhost:%[2]s/docs/
  OpenAPI        http://localhost:%[2]s/openapi.json
  Auth           %[3]s/auth/v1 (stands in for Supabase Auth; whoever signs up here by API needs no mail)
  Mail           %[8]s
  Postgres       %[4]s as rowhouse_api
  anon key       %[5]s

  Demo landlords, password %[6]s:
    %[7]s

`, cfg.DevDir, port, cfg.SupabaseURL, psql.Host+psql.Path, anonKey, seed.Password, strings.Join(landlords, "\n    "), mails)
	_ = os.Stdout.Sync() // a terminal cannot be synced, and need not be
}
