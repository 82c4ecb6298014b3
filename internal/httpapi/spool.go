package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/auth"
	"rowhouse/internal/errs"
)

const (
	// spoolsFilling bounds how many files are written at a time in a process: each
	// has one of the database's connections.
	spoolsFilling = 2
	// spoolsEach bounds how many files one landlord has in a process, until they are
	// sent.
	spoolsEach = 2
	// maxSpoolBytes bounds a file.
	maxSpoolBytes = 1 << 30
)

// spools are the files that answers are written to before they are sent. They are on
// the disk and not in memory, and nobody finds them there: their names are gone as soon
// as they are open, and so are they when the process ends, however it does.
type spools struct {
	filling chan struct{} // holds an item for each file that is being written

	mu *sync.Mutex
	of map[uuid.UUID]int // landlords who have files
}

func newSpools() spools {
	return spools{filling: make(chan struct{}, spoolsFilling), mu: &sync.Mutex{}, of: map[uuid.UUID]int{}}
}

// spool is one of them. It is read by whoever wrote it.
type spool struct {
	*os.File
	from *spools
	size int64
}

// open makes a file for the caller, unless they have enough of them. It must be closed.
func (s *spools) open(ctx context.Context) (*spool, error) {
	id, _ := auth.From(ctx) // who is nobody is refused by the database
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[id.UserID] >= spoolsEach {
		e := errs.New(errs.TooMany, "export_under_way", "%d files of yours are being made or sent. Wait until one is there.", spoolsEach)
		e.RetryAfter = 5 * time.Second
		return nil, e
	}
	file, err := os.CreateTemp("", "rowhouse-export-")
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("spool: %w", errors.Join(err, file.Close()))
	}
	s.of[id.UserID]++
	return &spool{File: file, from: s}, nil
}

// close gives up the file.
func (f *spool) close(ctx context.Context) {
	if err := f.Close(); err != nil {
		slog.WarnContext(ctx, "close spool", "error", err)
	}
	id, _ := auth.From(ctx)
	f.from.mu.Lock()
	defer f.from.mu.Unlock()
	if f.from.of[id.UserID]--; f.from.of[id.UserID] == 0 {
		delete(f.from.of, id.UserID)
	}
}

// turn waits until the file may be written, and returns what ends its turn.
func (f *spool) turn(ctx context.Context) (done func(), err error) {
	select {
	case f.from.filling <- struct{}{}:
		return func() { <-f.from.filling }, nil
	case <-ctx.Done():
		e := errs.New(errs.Unavailable, "busy", "Other files are being made at the moment. Try again shortly.")
		e.RetryAfter = 5 * time.Second
		return nil, e.Because(ctx.Err())
	}
}

// fill has write write the file, instead of what an earlier call wrote, and goes back
// to its beginning.
func (f *spool) fill(write func(io.Writer) error) (err error) {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out := bufio.NewWriterSize(&bounded{f.File, maxSpoolBytes}, 64<<10)
	if err := write(out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if f.size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// bounded is a writer that takes so much.
type bounded struct {
	w    io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errs.New(errs.Invalid, "export_too_large", "This is more than a file can hold. Ask for a part of it, by the filters of the list.")
	}
	return b.w.Write(p)
}
