package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

const (
	// unfinished is the folder of files that are being written. No key leads there.
	unfinished = "unfinished"
	// abandoned is when nobody writes to such a file any more.
	abandoned = time.Hour
)

// Disk is a Store in a folder. Processes may share it.
type Disk struct{ root *os.Root }

// NewDisk opens the folder, and makes it if it is not there. What an earlier process
// did not finish it removes.
func NewDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("folder for files: %w", err)
	}
	d := &Disk{root}
	if err := d.tidy(); err != nil {
		return nil, fmt.Errorf("tidy the folder for files: %w", errors.Join(err, root.Close()))
	}
	return d, nil
}

// Close gives the folder back.
func (d *Disk) Close() error { return d.root.Close() }

func (d *Disk) tidy() error {
	if err := d.root.MkdirAll(unfinished, 0o700); err != nil {
		return err
	}
	left, err := fs.ReadDir(d.root.FS(), unfinished)
	if err != nil {
		return err
	}
	for _, entry := range left {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && time.Since(info.ModTime()) < abandoned {
			continue
		}
		if err == nil {
			err = d.remove(path.Join(unfinished, entry.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Put implements Store. The file appears under its key when it is whole and on the
// disk.
func (d *Disk) Put(ctx context.Context, key, _ string, r io.Reader) (err error) {
	if err := checkKey(key); err != nil {
		return err
	}
	temporary := path.Join(unfinished, rand.Text())
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep file: %w", errors.Join(err, d.remove(temporary)))
		}
	}()
	if err := d.write(ctx, temporary, r); err != nil {
		return err
	}
	if err := d.root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return err
	}
	// a link, unlike a rename, never takes another file's place
	if err := d.root.Link(temporary, key); err != nil {
		return err
	}
	if err := errors.Join(d.remove(temporary), d.sync(key)); err != nil {
		return errors.Join(err, d.remove(key))
	}
	return nil
}

func (d *Disk) write(ctx context.Context, name string, r io.Reader) (err error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, untilDone{ctx, r}); err != nil {
		return err
	}
	return f.Sync()
}

// sync makes a file's entry, and those of the folders that it is in, outlive a power
// cut.
func (d *Disk) sync(name string) error {
	for name != "." {
		name = path.Dir(name)
		f, err := d.root.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Open implements Store.
func (d *Disk) Open(_ context.Context, key string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	f, err := d.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return f, nil
}

// Delete implements Store.
func (d *Disk) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := d.remove(key); err != nil {
		return fmt.Errorf("delete file: %w", err)
	}
	return nil
}

func (d *Disk) remove(name string) error {
	if err := d.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// untilDone reads from r until ctx is done.
type untilDone struct {
	ctx context.Context //nolint:containedctx // for the length of one call
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
