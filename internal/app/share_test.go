package app

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/imports"
	"rowhouse/internal/invitemail"
	"rowhouse/internal/jobs"
	"rowhouse/internal/mail"
	"rowhouse/internal/mailcatcher"
)

// TestImportsLeaveRoom: one landlord's imports, the first of which hangs, hold up
// neither another's import nor the mail of another's single invite.
func TestImportsLeaveRoom(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ann, bob := d.Landlord(t, "ann"), d.Landlord(t, "bob")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	catcher := mailcatcher.New(mailcatcher.Config{})
	run(t, func(ctx context.Context) error { return catcher.Serve(ctx, ln, nil) })
	sender, err := mail.Open(mail.Config{URL: "smtp://" + ln.Addr().String(), From: "no-reply@rowhouse.example"})
	require.NoError(t, err)
	t.Cleanup(sender.Close)

	worker := d.Open(t, db.Config{URL: d.URL("rowhouse_worker")})
	importer := imports.New(worker, dbtest.InviteKeys(t))
	kind := importer.Kind()
	work, began, goOn := kind.Work, make(chan struct{}, 10), make(chan struct{})
	kind.Work = func(ctx context.Context, job jobs.Job) error {
		if job.OwnerID == ann.UserID {
			began <- struct{}{}
			select {
			case <-goOn:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return work(ctx, job)
	}
	mails := invitemail.New(invitemail.Config{DB: worker, Mail: sender, Keys: dbtest.InviteKeys(t), PublicURL: "https://rowhouse.example"})
	runner, err := jobs.Open(context.Background(), jobs.Config{
		URL: d.URL("rowhouse_worker"), Kinds: []jobs.Kind{kind, importer.PurgeKind(), mails.Kind()}, Poll: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	run(t, func(ctx context.Context) error { return runner.Run(ctx, 10*time.Second) })

	var hers []uuid.UUID
	for _, file := range []string{"unit\nAttic\n", "unit\nCellar\n", "unit\nShed\n"} {
		hers = append(hers, startImport(t, d, ann, imports.Units, file))
	}
	<-began
	his := startImport(t, d, bob, imports.Units, "unit\nAttic\n")
	invite := dbtest.InviteKeys(t).Mint(bob.UserID)
	require.NoError(t, d.AsLandlord(bob.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `with t as (insert into app.tenants (first_name, last_name, email) values ('K', 'K', 'kim@example.com') returning id)
			insert into app.tenant_invites (tenant_id, email, token_hash, expires_at, mail_id, mail_key)
			select id, 'kim@example.com', $1, now() + interval '1 day', $2, $3 from t`, invite.Hash, invite.MailID, invite.Key)
		return err
	}))
	completed := func(id uuid.UUID) func() bool {
		return func() bool {
			state := list(t, d, `select state from app.import_batches where id = $1`, id)
			return state[0] == imports.Completed
		}
	}
	require.Eventually(t, completed(his), time.Minute, 10*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = catcher.Wait(ctx, func(m mailcatcher.Mail) bool { return m.To[0] == "kim@example.com" })
	require.NoError(t, err)
	require.Empty(t, began, "hers come one after another")
	require.Empty(t, list(t, d, `select name from app.units where owner_user_id = $1 and name in ('Attic', 'Cellar', 'Shed')`, ann.UserID))
	close(goOn)
	for _, id := range hers {
		require.Eventually(t, completed(id), time.Minute, 10*time.Millisecond)
	}
}

// run runs something until the test ends.
func run(t testing.TB, something func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- something(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
}
