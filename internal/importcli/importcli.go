// Package importcli imports a spreadsheet through the API of a running server, for
// people who prefer a terminal. It knows of the server what its document says, and
// nothing else.
package importcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rowhouse/internal/apiurl"
)

// Options are what Run needs; those without a word of their own are required.
type Options struct {
	Kind  string // units, tenants or portfolio
	File  string
	URL   string // of the server, without /api/v1
	Token string // an access token of the landlord

	OnExisting   string // skip, fill or update; empty leaves it to the server
	UnknownUnits string // error or create; empty leaves it to the server
	SendInvites  bool   // to the tenants whom nobody has invited before
	DryRun       bool   // say what would come of the rows, and no more

	Out      io.Writer // what came of it
	Progress io.Writer // how far it is
	Terminal bool      // Progress is somebody's terminal
}

// maxFile is what a server takes; a larger file is not sent.
const maxFile = 10 << 20

const (
	// poll is how often the server is asked how far it is.
	poll = 500 * time.Millisecond
	// stalled is how long nothing may happen before it is not waited for any longer.
	stalled = 10 * time.Minute
	// leaving is how long may be spent on undoing what was begun when ctx ends.
	leaving = time.Minute
)

// ErrRows says that the import ran, or would run, and that some rows are not taken.
var ErrRows = errors.New("some rows are not taken")

// Run imports a file: it sends it, shows what would come of its rows, runs it unless
// that was not asked for, and writes the rows that were not taken to File.failed.csv. It
// returns nil if all rows are taken, and ErrRows if some are not.
//
// When ctx ends it stops the import at the server, and says how far that had come. An
// import that did not begin, or was only to be tried, leaves nothing at the server.
func Run(ctx context.Context, o Options) error {
	if err := apiurl.Check("URL of the server", o.URL); err != nil {
		return err
	}
	if o.Token == "" {
		return errors.New("there is no access token")
	}
	content, err := read(o.File)
	if err != nil {
		return err
	}
	r := &run{Options: o, client: newClient(o.URL, o.Token)}
	b, err := r.upload(ctx, content)
	if err != nil {
		return err
	}
	if b.State != "CHECKED" {
		r.showColumns(b)
		return errors.Join(errors.New("not begun: the columns are not known; name them as the template does"), r.forget(ctx, b))
	}
	r.showTiles(b)
	if b.EarlierID != "" {
		r.say("This very file was sent before.")
	}
	if err := r.showErrors(ctx, b); err != nil {
		return errors.Join(err, r.forget(ctx, b))
	}
	if o.DryRun {
		err := r.keepFailed(ctx, b)
		if err == nil {
			r.say("Nothing was changed.")
		}
		return errors.Join(outcome(b, err), r.forget(ctx, b))
	}
	if ctx.Err() != nil {
		return errors.Join(errors.New("stopped; nothing was changed"), r.forget(ctx, b))
	}
	if b, err = r.work(ctx, b); err != nil {
		return err
	}
	r.showTiles(b)
	return outcome(b, r.keepFailed(ctx, b))
}

func outcome(b batch, err error) error {
	switch {
	case err != nil:
		return err
	case b.Rows.Error > 0:
		return ErrRows
	}
	return nil
}

func read(name string) ([]byte, error) {
	file, err := os.Open(name) //nolint:gosec // whoever runs the command names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB; cut it in parts", name, maxFile>>20)
	}
	return content, nil
}

// run is one import.
type run struct {
	Options
	client *client
}

func (r *run) say(format string, args ...any) { _, _ = fmt.Fprintf(r.Out, format+"\n", args...) }

// work runs the import to its end, or stops it when ctx ends.
func (r *run) work(ctx context.Context, b batch) (batch, error) {
	started, err := r.client.start(ctx, b.ID)
	if err != nil && ctx.Err() == nil {
		return b, errors.Join(fmt.Errorf("start the import: %w", err), r.forget(ctx, b))
	}
	if err == nil {
		b = started
		if b, err = r.follow(ctx, b); err == nil || ctx.Err() == nil {
			return b, err
		}
	}
	return r.stop(ctx, b)
}

// follow waits until the import has ended.
func (r *run) follow(ctx context.Context, b batch) (batch, error) {
	bar := r.newBar(b.Rows.Total)
	defer bar.end()
	moved := time.Now()
	for b.State == "RUNNING" {
		select {
		case <-ctx.Done():
			return b, ctx.Err()
		case <-time.After(poll):
		}
		now, err := r.client.show(ctx, b.ID)
		if err != nil {
			return b, fmt.Errorf("the import goes on at the server, and can't be watched: %w", err)
		}
		if now.Done != b.Done || now.State != b.State {
			moved = time.Now()
		}
		if time.Since(moved) > stalled {
			return now, fmt.Errorf("the server has not got on with import %s for %s; it may still", b.ID, stalled)
		}
		b = now
		bar.show(b.Done)
	}
	return b, nil
}

// stop asks the server to stop an import, and waits until it has.
func (r *run) stop(ctx context.Context, b batch) (batch, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	r.say("Stopping the import …")
	stopped, err := r.client.cancel(ctx, b.ID)
	if err == nil {
		stopped, err = r.follow(ctx, stopped)
	}
	if err != nil {
		return b, fmt.Errorf("the import may go on at the server: %w", err)
	}
	r.showTiles(stopped)
	if stopped.State == "CANCELLED" {
		return stopped, errors.New("stopped; the rows that were done by then stay, and the import can be undone")
	}
	return stopped, errors.New("the import had ended before it could be stopped")
}

// forget removes what is of no use at the server.
func (r *run) forget(ctx context.Context, b batch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	if err := r.client.forget(ctx, b.ID); err != nil {
		return fmt.Errorf("the file stays at the server, which may forget it: %w", err)
	}
	return nil
}

// keepFailed writes the rows that are not taken beside the file. What is written is
// whole, or not there.
func (r *run) keepFailed(ctx context.Context, b batch) (err error) {
	if b.Rows.Error == 0 {
		return nil
	}
	name := r.File + ".failed.csv"
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(file.Name())))
		}
	}()
	if err := errors.Join(r.client.failed(ctx, b.ID, file), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), name); err != nil {
		return err
	}
	r.say("The %s in %s, to mend and send again.", rowsNotTaken(b.Rows.Error), plain(name))
	return nil
}

func rowsNotTaken(n int) string {
	if n == 1 {
		return "row that is not taken is"
	}
	return fmt.Sprintf("%d rows that are not taken are", n)
}

// plain is text as a terminal shows it: what comes from a file or a server must not
// move the cursor.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, text)
}
