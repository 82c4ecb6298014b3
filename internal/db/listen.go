package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

const (
	// listenPing is how long a listener hears nothing before it asks whether the
	// server is still there; a connection that was cut in silence never tells.
	listenPing = 30 * time.Second
	// listenRetry is how long a listener waits before it connects again, doubled up
	// to listenRetryMax while it fails.
	listenRetry    = 100 * time.Millisecond
	listenRetryMax = 15 * time.Second
)

// ErrPooler says that a transaction pooler stands between, through which
// notifications don't come.
var ErrPooler = errors.New("notifications do not pass a transaction pooler")

// Listen calls heard with the payload of each notification on channel until ctx ends,
// on a connection of its own, which it opens again whenever it breaks. It calls
// listening with true when it has begun to listen, and with false when it has ceased
// to: what is sent between the two is missed. All calls come from this goroutine.
//
// Everybody who may connect can send a notification: take it for a hint. Listen
// returns when ctx has ended, or at once with ErrPooler.
func (db *DB) Listen(ctx context.Context, channel string, listening func(bool), heard func(payload string)) error {
	if db.pooler {
		return ErrPooler
	}
	wait := listenRetry
	for {
		err := db.listen(ctx, channel, func() {
			wait = listenRetry
			listening(true)
		}, heard)
		listening(false)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to stop
		}
		slog.WarnContext(ctx, "notifications are not heard; connecting again", "channel", channel, "in", wait, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, listenRetryMax)
	}
}

// listen listens until the connection breaks.
func (db *DB) listen(ctx context.Context, channel string, begun func(), heard func(string)) error {
	cfg := db.pool.Config().ConnConfig
	// a wait that ends leaves the connection as it is, and there is nothing to cancel
	cfg.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
	conn, err := pgx.ConnectConfig(ctx, cfg) //nolint:forbidigo // this is internal/db, and it opens no transaction
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		_ = conn.Close(ctx) // nothing is under way on it
	}()
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	begun()
	for {
		quiet, cancel := context.WithTimeout(ctx, listenPing)
		n, err := conn.WaitForNotification(quiet)
		cancel()
		switch {
		case err == nil:
			heard(n.Payload)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("wait for a notification: %w", err)
		default:
			if err := ping(ctx, conn); err != nil {
				return err
			}
		}
	}
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}
