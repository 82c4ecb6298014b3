package localauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

const webhookTime = 5 * time.Second

// Webhook is the receiver of a database webhook: every change of a row of
// auth.users is posted to it after the commit, once, in order, whoever made it.
// An answer of any kind, or none, makes no difference.
type Webhook struct {
	URL    string
	Header http.Header // sent along; a secret in it shows who is calling
}

func (h *Webhook) check() error {
	u, err := url.Parse(h.URL)
	if err != nil {
		return fmt.Errorf("local auth: webhook address: %w", err)
	}
	if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("local auth: the webhook address is not an http address")
	}
	return nil
}

// RunWebhook posts the changes of auth.users to Config.Webhook until ctx ends,
// and then returns nil. Without a webhook it removes the trigger that an earlier
// run may have left, and returns at once. Serve calls it; whoever uses Handler
// alone calls it beside.
func (s *Server) RunWebhook(ctx context.Context) error {
	err := s.runWebhook(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop
	}
	if err != nil {
		return fmt.Errorf("local auth: database webhook: %w", err)
	}
	return nil
}

func (s *Server) runWebhook(ctx context.Context) error {
	if s.cfg.Webhook == nil {
		_, err := s.cfg.Pool.Exec(ctx, webhookOffSQL)
		return err
	}
	pooled, err := s.cfg.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack() // it listens: nobody else may get it
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, webhookOnSQL); err != nil {
		return err
	}
	for {
		if err := s.postChanges(ctx, conn); err != nil {
			return err
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}

func (s *Server) postChanges(ctx context.Context, conn *pgx.Conn) error {
	for {
		rows, err := conn.Query(ctx, webhookTakeSQL)
		if err != nil {
			return fmt.Errorf("take changes: %w", err)
		}
		bodies, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("take changes: %w", err)
		}
		if len(bodies) == 0 {
			return nil
		}
		for _, body := range bodies {
			if err := s.postChange(ctx, body); err != nil && ctx.Err() == nil {
				s.cfg.Logger.WarnContext(ctx, "local auth: database webhook not delivered", "error", err)
			}
		}
	}
}

func (s *Server) postChange(ctx context.Context, body string) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.Webhook.URL, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	for name, values := range s.cfg.Webhook.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "pg_net")
	answer, err := s.hooks.client.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, hookAnswerSize)) // nobody reads it there either
	return answer.Body.Close()
}
