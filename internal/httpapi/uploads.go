package httpapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/imagemeta"
	"rowhouse/internal/query"
	"rowhouse/internal/storage"
)

const (
	// maxFileBytes bounds a file. It has nothing to do with maxBodyBytes, because a
	// file is not held in memory.
	maxFileBytes = 10 << 20
	// transferTime is how long a file may take to come or go, beyond the time that
	// other requests have: a phone in a cellar sends slowly.
	transferTime = 2 * time.Minute
)

// acceptedTypes are the media types of files that are kept.
var acceptedTypes = []string{imagemeta.JPEG, imagemeta.PNG, imagemeta.WebP, imagemeta.HEIC, imagemeta.HEIF, imagemeta.PDF}

// extensions are those that a file of a type may be saved under; the first is
// appended to a name without one of them. A file may be valid as two types at once,
// and its name decides what a double click makes of it.
var extensions = map[string][]string{
	imagemeta.JPEG: {".jpg", ".jpeg"}, imagemeta.PNG: {".png"}, imagemeta.WebP: {".webp"}, imagemeta.PDF: {".pdf"},
	imagemeta.HEIC: {".heic", ".heif"}, imagemeta.HEIF: {".heif", ".heic"},
}

// upload is what keepUpload needs to know of a file's way into a ticket.
type upload struct {
	*Upload
	as         persona
	operation  string
	location   string // of the new row, with %s for its id
	visibility string
	// place says whose the file will be, and who else may have it.
	place  func(context.Context, *db.Tx) (owner, other uuid.UUID, err error)
	insert func(context.Context, query.DBTX, query.AttachmentCreateParams) (query.Attachment, error)
}

// keepUpload keeps the file, and then its row. Between the two the file is under a
// key that nobody knows.
func (a *API) keepUpload(ctx context.Context, u upload) (out *created[attachment], err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTime)
	defer cancel()
	// who is refused while still sending would see a dead line and no answer
	defer func() { _, _ = io.CopyN(io.Discard, u.body, maxFileBytes) }()

	var owner, other uuid.UUID
	if err := u.as(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		owner, other, err = u.place(ctx, tx)
		return forbidMissing(err)
	}); err != nil {
		return nil, err
	}
	row, err := a.keepFile(ctx, u, storage.NewKey(owner, other))
	if err != nil {
		return nil, err
	}
	err = u.as(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		request := row
		request.StorageKey = "" // another one each time
		out, err = once(ctx, tx, u.IdempotencyKey, u.operation, request, func() (*created[attachment], error) {
			kept, err := u.insert(ctx, tx, row)
			return &created[attachment]{
				Location: prefix + fmt.Sprintf(u.location, kept.ID), ETag: etag(onlyVersion), Body: toAttachment(kept),
			}, err
		})
		return err
	})
	switch {
	case err == nil && !out.Replayed:
	case err != nil && errs.KindOf(err) == errs.Unavailable: // the row may be there
		slog.WarnContext(ctx, "a file may be without its row", "key", row.StorageKey)
	default:
		a.deleteFiles(ctx, row.StorageKey)
	}
	return out, err
}

// keepFile takes the request's body, without what it tells of people, into the
// store.
func (a *API) keepFile(ctx context.Context, u upload, key string) (row query.AttachmentCreateParams, err error) {
	spooled, err := os.CreateTemp("", "rowhouse-upload-")
	if err != nil {
		return row, fmt.Errorf("spool upload: %w", err)
	}
	defer func() { _ = errors.Join(spooled.Close(), os.Remove(spooled.Name())) }()
	size, err := receive(spooled, u.body)
	if err != nil {
		return row, err
	}
	file, err := imagemeta.Clean(spooled, size)
	if err != nil {
		return row, refuseFile(err)
	}
	if !says(u.mediaType, file.MediaType) {
		return row, errs.New(errs.UnsupportedMedia, "unsupported_media_type", "This is a file of type %s.", file.MediaType).
			At(errs.Field{Header: "Content-Type", Message: "does not say what the file is"})
	}
	hash := sha256.New()
	if err := a.files.Put(ctx, key, file.MediaType, io.TeeReader(file, hash)); err != nil {
		return row, fileTrouble(ctx, err)
	}
	return query.AttachmentCreateParams{
		TicketID: u.ID, StorageKey: key, FileName: named(u.FileName, file.MediaType), MediaType: file.MediaType,
		SizeBytes: file.Size, Sha256: hash.Sum(nil), Visibility: u.visibility,
	}, nil
}

// says tells whether a Content-Type says what a file is. Browsers go by the file's
// name, and call HEIC by the name of the container as well.
func says(contentType, mediaType string) bool {
	said, _, err := mime.ParseMediaType(contentType)
	return err == nil && (said == mediaType || said == imagemeta.HEIF && mediaType == imagemeta.HEIC)
}

// receive writes body to f, up to the limit.
func receive(f *os.File, body io.Reader) (size int64, err error) {
	in := &blamed{r: io.LimitReader(body, maxFileBytes+1)}
	size, err = io.Copy(f, in)
	switch {
	case in.err != nil:
		return 0, errs.New(errs.Invalid, "body_incomplete", "The file did not arrive whole.").Because(in.err)
	case err != nil:
		return 0, fmt.Errorf("spool upload: %w", err)
	case size > maxFileBytes:
		return 0, errs.New(errs.TooLarge, "too_large", "The file is larger than %d bytes.", maxFileBytes)
	}
	return size, nil
}

// blamed tells a reader's failure from the writer's.
type blamed struct {
	r   io.Reader
	err error
}

func (b *blamed) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// refuseFile words why a file is not kept.
func refuseFile(err error) error {
	code, message := "unsupported_media_type", ""
	switch {
	case errors.Is(err, imagemeta.ErrTooManyPixels):
		return errs.New(errs.TooLarge, "too_large", "The picture has more than %d million pixels.", imagemeta.MaxPixels/1_000_000).Because(err)
	case errors.Is(err, imagemeta.ErrUnknownType):
		message = "This is no JPEG, PNG, WebP, HEIC or PDF file."
	case errors.Is(err, imagemeta.ErrAnimated):
		message = "Animations can't be kept. Send a picture."
	case errors.Is(err, imagemeta.ErrDamaged):
		code, message = "file_damaged", "The file is damaged or not whole."
	default:
		return err
	}
	return errs.New(errs.UnsupportedMedia, code, "%s", message).Because(err)
}

// named is the name that a file is kept under: without folders, and such that it
// opens as what it is.
func named(name line, mediaType string) string {
	base := path.Base(strings.ReplaceAll(name.trimmed(), `\`, "/"))
	if allowed := extensions[mediaType]; !slices.Contains(allowed, strings.ToLower(path.Ext(base))) {
		base += allowed[0]
	}
	return base
}
