package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/jackc/pgx/v5"

	"rowhouse/internal/accounts"
	"rowhouse/internal/authhooks"
	"rowhouse/internal/config"
	"rowhouse/internal/mail"
	"rowhouse/internal/web"
)

// mounts are the parts beside the API, by their paths.
func (a *api) mounts(ctx context.Context, cfg config.Config) (map[string]http.Handler, error) {
	mounts, err := mailHooks(cfg, a.db)
	if err != nil {
		return nil, err
	}
	if mounts == nil {
		mounts = map[string]http.Handler{}
	}
	if a.web != nil {
		mounts["/auth"] = a.web.Handler()
		mounts[web.InvitePath] = a.web.InvitePage()
	}
	hooks, err := a.authHooks(ctx, cfg)
	if err != nil || hooks == nil {
		return mounts, err
	}
	mounts["/hooks/auth"] = hooks
	return mounts, nil
}

// authHooks take what Supabase Auth calls, or are nil if it has no secret to prove
// itself with.
func (a *api) authHooks(ctx context.Context, cfg config.Config) (http.Handler, error) {
	if cfg.AuthHookSecrets == "" {
		slog.WarnContext(ctx, "AUTH_HOOK_SECRETS is not set: there are no hooks for Supabase Auth")
	}
	if cfg.AuthWebhookSecret == "" {
		slog.WarnContext(ctx, "AUTH_WEBHOOK_SECRET is not set: changed and removed users are not heard of")
	}
	if cfg.AuthHookSecrets == "" && cfg.AuthWebhookSecret == "" {
		return nil, nil
	}
	hooks := authhooks.Config{
		DB: a.db, Secrets: cfg.AuthHookSecrets, WebhookSecret: cfg.AuthWebhookSecret,
		SignupsClosed: cfg.SignupsClosed, DisposableAllowed: cfg.DisposableDomainsAllowed, PublicURL: cfg.PublicURL,
	}
	switch {
	case cfg.AuthHookSecrets != "" && cfg.SMTPURL == "":
		slog.WarnContext(ctx, "SMTP_URL is not set: there is no hook send-email")
	case cfg.AuthHookSecrets != "":
		if err := cfg.Require("MAIL_FROM", "PUBLIC_URL"); err != nil {
			return nil, fmt.Errorf("the hook send-email: %w", err)
		}
		sender, err := mail.Open(mail.Config{URL: cfg.SMTPURL, From: cfg.MailFrom, PerSecond: cfg.MailRatePerSecond})
		if err != nil {
			return nil, err
		}
		a.mail, hooks.SendMail = sender, sender.Send
	}
	return authhooks.New(hooks)
}

// Reconcile compares the users of Supabase Auth with their profiles, and mends those
// unless dryRun.
func Reconcile(ctx context.Context, cfg config.Config, dryRun bool) (accounts.Counts, error) {
	if err := cfg.Require("DATABASE_URL", "SEAL_KEYS", "AUTH_DATABASE_URL"); err != nil {
		return accounts.Counts{}, err
	}
	d, err := openDB(ctx, cfg)
	if err != nil {
		return accounts.Counts{}, err
	}
	defer d.Close()
	address, err := pgx.ParseConfig(cfg.AuthDatabaseURL)
	if err != nil {
		return accounts.Counts{}, errors.New("AUTH_DATABASE_URL: not a valid Postgres URL") // the cause would quote the password
	}
	provider, err := pgx.ConnectConfig(ctx, address) //nolint:forbidigo // the provider's database; there is nobody to act for
	if err != nil {
		return accounts.Counts{}, fmt.Errorf("connect to AUTH_DATABASE_URL: %w", err)
	}
	defer provider.Close(context.WithoutCancel(ctx))
	return accounts.Reconcile(ctx, d, provider, dryRun)
}
