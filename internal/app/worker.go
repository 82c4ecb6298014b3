package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"rowhouse/internal/config"
	"rowhouse/internal/db"
	"rowhouse/internal/farewell"
	"rowhouse/internal/imports"
	"rowhouse/internal/invitemail"
	"rowhouse/internal/jobs"
	"rowhouse/internal/mail"
	"rowhouse/internal/takeout"
)

// Worker does the jobs of the queue until ctx ends, and then lets those under way
// finish. Several may run at a time, on any machines.
func Worker(ctx context.Context, cfg config.Config, version string) error {
	if err := cfg.Require("WORKER_DATABASE_URL", "SEAL_KEYS", "INVITE_KEYS", "SMTP_URL", "MAIL_FROM", "PUBLIC_URL"); err != nil {
		return err
	}
	w, err := newWorker(ctx, cfg)
	if err != nil {
		return err
	}
	defer w.close()
	slog.InfoContext(ctx, "working", "version", version)
	return w.jobs.Run(ctx, cfg.ShutdownTimeout)
}

type worker struct {
	db   *db.DB
	mail *mail.Sender
	jobs *jobs.Runner
}

func newWorker(ctx context.Context, cfg config.Config) (*worker, error) {
	sender, err := mail.Open(mail.Config{URL: cfg.SMTPURL, From: cfg.MailFrom, PerSecond: cfg.MailRatePerSecond})
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, db.Config{
		URL: cfg.WorkerDatabaseURL, Keys: cfg.SealKeys, Pooler: cfg.DatabasePooler, MaxConns: cfg.DatabaseMaxConns,
		AcquireTimeout: 30 * time.Second, // nobody waits for a job's answer
	})
	if err != nil {
		sender.Close()
		return nil, fmt.Errorf("WORKER_DATABASE_URL: %w", err)
	}
	w := &worker{db: d, mail: sender}
	if err := checkDatabase(ctx, cfg.WorkerDatabaseURL, d); err != nil {
		w.close()
		return nil, err
	}
	files, err := openFiles(cfg)
	if err != nil {
		w.close()
		return nil, err
	}
	invites := invitemail.New(invitemail.Config{
		DB: d, Mail: sender, Keys: cfg.InviteKeys, PublicURL: strings.TrimRight(cfg.PublicURL, "/"),
	})
	importer := imports.New(d, cfg.InviteKeys)
	w.jobs, err = jobs.Open(ctx, jobs.Config{
		URL: cfg.WorkerDatabaseURL, Logger: slog.Default(),
		Kinds: []jobs.Kind{
			invites.Kind(), importer.Kind(), importer.PurgeKind(), farewell.New(farewell.Config{DB: d, Files: files}).Kind(),
			takeout.New(d, files).Kind(),
		},
	})
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *worker) close() {
	w.db.Close()
	w.mail.Close()
}

// mailHooks take what the mail provider reports, if it may.
func mailHooks(cfg config.Config, d *db.DB) (map[string]http.Handler, error) {
	if cfg.MailHookSecret == "" {
		return nil, nil
	}
	bounces, err := invitemail.Bounces(invitemail.BouncesConfig{DB: d, Keys: cfg.InviteKeys, Secret: cfg.MailHookSecret})
	if err != nil {
		return nil, err
	}
	return map[string]http.Handler{invitemail.BouncesPath: bounces}, nil
}
