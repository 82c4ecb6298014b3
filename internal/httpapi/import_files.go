package httpapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/imports"
	"rowhouse/internal/query"
)

// importsAtOnce bounds how many files are read at a time in a process: each is held in
// memory until its rows are in the database.
const importsAtOnce = 4

// ImportFile is a spreadsheet that comes in as the request's body, or as a part of it.
type ImportFile struct {
	Idempotent
	FileName     line   `query:"fileName" maxLength:"150" example:"units.csv" doc:"The file's name, if it is the body itself"`
	OnExisting   string `query:"onExisting" enum:"skip,fill,update" default:"update" doc:"What to do with what is in your books already: skip it, fill in what is empty there, or update it with what the file says. An empty cell never empties anything."`
	UnknownUnits string `query:"unknownUnits" enum:"error,create" default:"error" doc:"Whether a tenant's unit that is not in your books is made"`
	SendInvites  bool   `query:"sendInvites" doc:"Whether running it invites the tenants: those with an address whom nobody has invited before"`

	contentType string
	body        io.Reader
}

// Resolve takes the body from huma. It implements huma.Resolver.
func (in *ImportFile) Resolve(hc huma.Context) []error {
	_ = hc.SetReadDeadline(time.Now().Add(transferTime)) // or the server's own holds
	_, w := humachi.Unwrap(hc)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * transferTime)) // its rows are checked after it came
	in.contentType, in.body = hc.Header("Content-Type"), hc.BodyReader()
	return nil
}

// importRequest is what two requests with one Idempotency-Key must agree in.
type importRequest struct {
	Kind     imports.Kind
	FileName string
	SHA256   []byte
	imports.Options
}

// importFile stores a file and says what would come of it.
func (a *API) importFile(kind imports.Kind) handler[ImportFile, created[importBatch]] {
	return func(ctx context.Context, in *ImportFile) (out *created[importBatch], err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTime)
		defer cancel()
		// who is refused while still sending would see a dead line and no answer
		defer func() { _, _ = io.CopyN(io.Discard, in.body, csvfile.MaxBytes) }()
		select {
		case a.importing <- struct{}{}:
			defer func() { <-a.importing }()
		default:
			e := errs.New(errs.Unavailable, "busy", "Other files are being read at the moment. Try again shortly.")
			e.RetryAfter = 5 * time.Second
			return nil, e
		}
		u, err := in.upload(kind)
		if err != nil {
			return nil, refuseCSV(err)
		}
		err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
			request := importRequest{Kind: kind, FileName: u.FileName, SHA256: u.SHA256, Options: u.Options}
			out, err = once(ctx, tx, in.IdempotencyKey, "import"+string(kind), request, func() (*created[importBatch], error) {
				batch, err := a.imports.Store(ctx, tx, u)
				return &created[importBatch]{
					Location: prefix + "/imports/" + batch.ID.String(), Body: toImport(batch, nil),
				}, refuseCSV(err)
			})
			return err
		})
		if err != nil {
			return nil, err
		}
		now, err := a.checkedImport(ctx, out.Body.ID, out.Replayed)
		if err != nil {
			return nil, err
		}
		out.ETag, out.Body = now.ETag, now.Body
		return out, nil
	}
}

// checkedImport checks an import that was stored now, or by an earlier request that did
// not come to that.
func (a *API) checkedImport(ctx context.Context, id uuid.UUID, earlier bool) (*shown[importBatch], error) {
	if earlier {
		now, err := a.showImport(ctx, id)
		if err != nil || now.Body.Rows.checked() {
			return now, err
		}
	}
	if err := a.imports.Check(ctx, id); err != nil {
		return nil, err
	}
	return a.showImport(ctx, id)
}

// upload reads the file out of the request.
func (in *ImportFile) upload(kind imports.Kind) (imports.Upload, error) {
	u := imports.Upload{
		Kind: kind, FileName: in.FileName.trimmed(),
		Options: imports.Options{OnExisting: in.OnExisting, UnknownUnits: in.UnknownUnits, SendInvites: in.SendInvites},
	}
	mediaType, params, err := mime.ParseMediaType(in.contentType)
	body := in.body
	switch {
	case err == nil && mediaType == "multipart/form-data":
		part, err := filePart(multipart.NewReader(io.LimitReader(body, csvfile.MaxBytes+64<<10), params["boundary"]))
		if err != nil {
			return u, err
		}
		body = part
		if u.FileName == "" {
			u.FileName = path.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
		}
	case err == nil && (mediaType == "text/csv" || mediaType == "text/tab-separated-values" || mediaType == "application/vnd.ms-excel" || mediaType == "text/plain"):
	default:
		return u, errs.New(errs.UnsupportedMedia, "unsupported_media_type", "Send the file as text/csv, or as a part of multipart/form-data, and say so in Content-Type.")
	}
	if u.FileName == "" || u.FileName == "." || !utf8.ValidString(u.FileName) {
		u.FileName = string(kind) + ".csv"
	}
	u.FileName = cut(u.FileName, 150)
	hash := sha256.New()
	received := &blamed{r: io.TeeReader(body, hash)}
	u.File, err = csvfile.Read(received)
	if received.err != nil {
		return u, errs.New(errs.Invalid, "body_incomplete", "The file did not arrive whole.").Because(received.err)
	}
	u.SHA256 = hash.Sum(nil)
	return u, err
}

// cut shortens text to a number of characters, and leaves out those that cannot be
// seen.
func cut(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most])
	}
	return text
}

// filePart is the first file of a form.
func filePart(form *multipart.Reader) (*multipart.Part, error) {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, errs.New(errs.Invalid, "invalid_request", "The form holds no file.")
		} else if err != nil {
			return nil, errs.New(errs.Invalid, "invalid_request", "The form is not well-formed.").Because(err)
		}
		if part.FileName() != "" {
			return part, nil
		}
	}
}

// refuseCSV words why a file is not taken.
func refuseCSV(err error) error {
	refused, ok := errors.AsType[*csvfile.Error](err)
	if !ok {
		return err
	}
	kind := errs.Unprocessable
	switch {
	case refused.Code == csvfile.CodeNotCSV:
		kind = errs.UnsupportedMedia
	case refused.Code == csvfile.CodeLimit && refused.Line == 0:
		kind = errs.TooLarge
	}
	text := refused.Error()
	return errs.New(kind, refused.Code, "%s.", strings.ToUpper(text[:1])+text[1:]).Because(err)
}

// csvContent is a spreadsheet to save.
type csvContent struct {
	ContentType string `header:"Content-Type" doc:"text/csv; charset=utf-8"`
	Disposition string `header:"Content-Disposition" doc:"A name to save it under"`
	Body        func(huma.Context)
}

// csvBody answers with what write writes, as it comes.
func csvBody(ctx context.Context, name string, write func(context.Context, io.Writer) error) *csvContent {
	return &csvContent{
		ContentType: "text/csv; charset=utf-8",
		Disposition: mime.FormatMediaType("attachment", map[string]string{"filename": name}),
		Body: func(hc huma.Context) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTime)
			defer cancel()
			_, w := humachi.Unwrap(hc)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime)) // or the server's own holds
			hc.SetStatus(http.StatusOK)
			if err := write(ctx, hc.BodyWriter()); err != nil {
				slog.WarnContext(ctx, "a download ended early", "error", err)
				panic(http.ErrAbortHandler) // a file that is cut short must not look whole
			}
		},
	}
}

func (a *API) importTemplate(kind imports.Kind) handler[struct{}, csvContent] {
	return func(ctx context.Context, _ *struct{}) (*csvContent, error) {
		return csvBody(ctx, string(kind)+".csv", func(ctx context.Context, w io.Writer) error {
			return a.imports.WriteTemplate(ctx, kind, w)
		}), nil
	}
}

func (a *API) importFailed(ctx context.Context, in *Path) (*csvContent, error) {
	var batch query.ImportBatch
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		batch, err = query.New().ImportBatch(ctx, tx, in.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := imports.Readable(batch); err != nil {
		return nil, err
	}
	return csvBody(ctx, "failed.csv", func(ctx context.Context, w io.Writer) error {
		return a.imports.WriteFailed(ctx, batch, w)
	}), nil
}
