// Package storage keeps the bytes of files, on this machine or in Supabase
// Storage.
//
// It knows nothing of rights. Who may have a file is decided by the row that names
// its key: read the row first, as the caller, and open the file only if it is
// there. In Supabase the user's own token opens it, and the bucket's policies stand
// behind the rows' as a second wall.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/google/uuid"
)

// ErrNotFound says that there is no file under a key.
var ErrNotFound = errors.New("no such file")

// ErrNoSession says that a store opens to a user's own session alone, and there is none.
var ErrNoSession = errors.New("nobody's token to open the bucket with")

// Store keeps files under keys. It is safe for use from several goroutines.
type Store interface {
	// Put keeps what it reads from r until its end under a key that is not taken
	// yet. When it fails, or r does, there is no file.
	Put(ctx context.Context, key, mediaType string, r io.Reader) error
	// Open reads a file from its beginning; the caller closes it. It fails with
	// ErrNotFound when there is none.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// Delete removes a file. One that is not there is no failure.
	Delete(ctx context.Context, key string) error
}

// NewKey returns a key that nobody can guess. It begins with the owner, and then
// names who else may have the file: the bucket's policies know nothing more.
func NewKey(owner, other uuid.UUID) string {
	return owner.String() + "/" + other.String() + "/" + uuid.NewString()
}

var keyPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/[A-Za-z0-9_-]{1,64}){1,3}$`)

// checkKey refuses keys that NewKey would not make. They may come from a row that
// somebody else wrote.
func checkKey(key string) error {
	if !keyPattern.MatchString(key) {
		return fmt.Errorf("not a key: %q", key)
	}
	return nil
}
