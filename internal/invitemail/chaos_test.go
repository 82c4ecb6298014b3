package invitemail_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"rowhouse/internal/db"
	"rowhouse/internal/dbtest"
	"rowhouse/internal/invitemail"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/jobs"
	"rowhouse/internal/mail"
	"rowhouse/internal/mailcatcher"
	"rowhouse/internal/seal"
)

const (
	// workerVariable makes this test's program a worker: the database and the mail
	// server, with a space between.
	workerVariable = "ROWHOUSE_TEST_WORKER"
	// soakVariable asks for the whole of TestChaos.
	soakVariable = "ROWHOUSE_SOAK"

	chaosSeed = 20261129
)

// work is a worker.
func work() {
	url, server, _ := strings.Cut(os.Getenv(workerVariable), " ")
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	keys, err := invitetoken.ParseKeyring(dbtest.InviteKeysText)
	check(err)
	seals, err := seal.ParseKeyring(dbtest.KeysText)
	check(err)
	d, err := db.Open(ctx, db.Config{URL: url, Keys: seals, MaxConns: 8, AcquireTimeout: 10 * time.Second})
	check(err)
	sender, err := mail.Open(mail.Config{URL: "smtp://" + server, From: "no-reply@rowhouse.example", Timeout: 10 * time.Second})
	check(err)
	kind := invitemail.New(invitemail.Config{DB: d, Mail: sender, Keys: keys, PublicURL: "https://rowhouse.example"}).Kind()
	kind.PerLandlord = 10
	runner, err := jobs.Open(ctx, jobs.Config{
		URL: url, Kinds: []jobs.Kind{kind}, Poll: 50 * time.Millisecond, FirstRetry: time.Hour,
	})
	check(err)
	check(runner.Run(ctx, time.Second))
}

// trap stops the mail server at a moment of its dialogues with the worker.
type trap struct {
	mu      sync.Mutex
	stage   mailcatcher.Stage
	left    int           // so many times at that stage
	hit     chan struct{} // nil if it is not set
	release chan struct{}
}

// set sets it. When hit is closed, the mail server says nothing until release is called.
func (s *trap) set(stage mailcatcher.Stage, after int) (hit <-chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage, s.left, s.hit, s.release = stage, after, make(chan struct{}), make(chan struct{})
	return s.hit, sync.OnceFunc(func() { close(s.release) })
}

func (s *trap) judge(_ context.Context, stage mailcatcher.Stage, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hit == nil || stage != s.stage {
		return nil
	}
	if s.left--; s.left > 0 {
		return nil
	}
	close(s.hit)
	s.hit = nil
	<-s.release
	return nil
}

// TestChaos kills the worker again and again in the middle of its mails; once it is
// Postgres that stops under it. In the end every invite was mailed, with the link that
// opens it; a mail whose answer was lost may have gone twice, and not more often. What was
// under way when something struck is taken up again after the last strike, for a mail that
// was in doubt twice would have to go three times. `make soak` does so with many more of both.
func TestChaos(t *testing.T) {
	t.Parallel()
	mails, kills := 600, 4 // each strike takes out what a worker has taken up and what it has not yet said is done
	if os.Getenv(soakVariable) != "" {
		mails, kills = 3000, 20
	}
	server := dbtest.StartServer(t)
	d, random := dbtest.NewOn(t, server), rand.New(rand.NewPCG(chaosSeed, 0))
	keys := dbtest.InviteKeys(t)
	trap := &trap{}
	catcher := mailcatcher.New(mailcatcher.Config{Judge: trap.judge, MaxMails: 2 * mails})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- catcher.Serve(serving, ln, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-served)
	})

	want := map[string]string{} // the link of each Message-ID
	for l := range 8 {
		landlord := d.Landlord(t, fmt.Sprintf("landlord-%d", l))
		for from := 0; from < mails/8; from += 50 {
			inviteMany(t, d, landlord, keys, min(50, mails/8-from), want)
		}
	}
	require.Len(t, want, mails)

	var worker *exec.Cmd
	start := func() {
		worker = exec.Command(os.Args[0]) // this program; see TestMain
		worker.Env = append(os.Environ(), workerVariable+"="+d.URL("rowhouse_worker")+" "+ln.Addr().String())
		worker.Stderr = os.Stderr
		require.NoError(t, worker.Start())
	}
	kill := func() {
		_ = worker.Process.Kill() // SIGKILL
		_ = worker.Wait()
	}
	stages := []mailcatcher.Stage{mailcatcher.Sender, mailcatcher.Recipient, mailcatcher.Content, mailcatcher.Answer}
	arm := func() (strike func(what func())) {
		hit, release := trap.set(stages[random.IntN(len(stages))], 1+random.IntN(20))
		return func(what func()) {
			defer release()
			select {
			case <-hit:
				what()
			case <-time.After(2 * time.Minute):
				t.Fatal("the worker mails nothing")
			}
		}
	}
	start()
	t.Cleanup(func() { kill() })
	for n := range kills {
		strike := arm()
		if n == kills/2 {
			strike(func() { server.Stop(t) })
			strike = arm() // while nothing goes on
			server.Start(t)
			d.Admin.Reset() // our own connections have died too
		}
		strike(kill)
		forget(t, d)
		start()
	}
	open := mails
	for deadline := time.Now().Add(4 * time.Minute); open > 0; time.Sleep(50 * time.Millisecond) {
		d.Exec(t, `update river.river_job set state = 'available', scheduled_at = now() where state = 'retryable'`)
		require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from river.river_job where state <> 'completed'`).Scan(&open))
		require.True(t, time.Now().Before(deadline), "%d jobs are left", open)
	}

	sent := map[string]int{}
	for _, m := range catcher.Mails() {
		id := strings.TrimSuffix(strings.Trim(m.MessageID, "<>"), "@rowhouse.example")
		sent[id]++
		require.Equal(t, []string{want[id]}, m.Links)
	}
	twice := 0
	for id := range want {
		require.Contains(t, sent, id, "an invite was not mailed")
		require.LessOrEqual(t, sent[id], 2, "a mail went out again and again")
		twice += sent[id] - 1
	}
	require.Len(t, sent, mails)
	t.Logf("%d mails, %d kills: %d went twice", mails, kills, twice)
	var unsent int
	require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from app.tenant_invites where mail_state <> 'SENT' and mail_key is not null`).Scan(&unsent))
	require.Zero(t, unsent)
}

// inviteMany has l invite n people in one statement.
func inviteMany(t testing.TB, d *dbtest.Database, l dbtest.Landlord, keys invitetoken.Keyring, n int, want map[string]string) {
	t.Helper()
	var ids []uuid.UUID
	var hashes [][]byte
	var key string
	for range n {
		m := keys.Mint(l.UserID)
		ids, hashes, key = append(ids, m.MailID), append(hashes, m.Hash), m.Key
		token, err := keys.Token(l.UserID, m.MailID, m.Key)
		require.NoError(t, err)
		id, err := keys.MessageID(l.UserID, m.MailID, m.Key)
		require.NoError(t, err)
		want[id] = "https://rowhouse.example/invite#" + token
	}
	require.NoError(t, d.AsLandlord(l.Context(t), db.ReadWrite, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `with m as (select * from unnest($1::uuid[], $2::bytea[]) as m (id, hash)),
				t as (insert into app.tenants (first_name, last_name, email) select 'T', 'T', m.id || '@example.com' from m returning id, email)
			insert into app.tenant_invites (tenant_id, email, token_hash, expires_at, mail_id, mail_key)
			select t.id, t.email, m.hash, now() + interval '1 day', m.id, $3 from t join m on t.email = m.id || '@example.com'`, ids, hashes, key)
		return err
	}))
}

// forget makes it as if the time had passed after which others take up what a dead worker
// had. It waits for Postgres to notice that the worker is dead.
func forget(t testing.TB, d *dbtest.Database) {
	t.Helper()
	sessions := 1
	for deadline := time.Now().Add(time.Minute); sessions > 0; time.Sleep(5 * time.Millisecond) {
		require.NoError(t, d.Admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and usename = 'rowhouse_worker'`).Scan(&sessions))
		require.True(t, time.Now().Before(deadline), "a dead worker has %d sessions", sessions)
	}
	d.Exec(t, `update river.river_job set attempted_at = attempted_at - interval '1 hour' where state = 'running'`)
	d.Exec(t, `delete from river.river_leader`)
}
