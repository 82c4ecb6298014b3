package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
	"rowhouse/internal/storage"
)

// attachment is a ticket's file as the API shows it. Its bytes are elsewhere.
type attachment struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	TicketID   uuid.UUID `json:"ticketId" format:"uuid"`
	FileName   string    `json:"fileName" example:"leak.jpg"`
	MediaType  string    `json:"mediaType" enum:"image/jpeg,image/png,image/webp,image/heic,image/heif,application/pdf"`
	Size       int64     `json:"size" example:"482113" doc:"In bytes"`
	Visibility string    `json:"visibility" enum:"shared,internal" doc:"Whether the tenant who reported the ticket may see it"`
	CreatedAt  time.Time `json:"createdAt"`
}

// attachmentRoutes are the operations on tickets' files.
func (a *API) attachmentRoutes(api huma.API) {
	get(api, "/tickets/{id}/attachments", "listAttachments", "List a ticket's files", a.listAttachments)
	create(api, "/tickets/{id}/attachments", "createAttachment", "Add a file to a ticket", a.createAttachment)
	get(api, "/attachments/{id}", "getAttachment", "Show what is known about a file", a.getAttachment)
	get(api, "/attachments/{id}/content", "getAttachmentContent", "Download a file", a.attachmentContent)
	remove(api, "/attachments/{id}", "deleteAttachment", "Delete a file", a.deleteAttachment)
	get(api, "/portal/tickets/{id}/attachments", "listPortalAttachments", "List the files of a ticket of yours", a.listPortalAttachments)
	create(api, "/portal/tickets/{id}/attachments", "createPortalAttachment", "Add a file to a ticket of yours", a.createPortalAttachment)
	get(api, "/portal/attachments/{id}/content", "getPortalAttachmentContent", "Download a file of a ticket of yours", a.portalAttachmentContent)

	paths := api.OpenAPI().Paths
	for _, path := range []string{"/tickets/{id}/attachments", "/portal/tickets/{id}/attachments"} {
		paths[prefix+path].Post.RequestBody = &huma.RequestBody{
			Required: true, Content: binary(acceptedTypes...),
			Description: "The file itself, of at most 10 MiB and 50 megapixels, with its media type as Content-Type. " +
				"Where and with what a photo was taken is left out of what is kept.",
		}
	}
	for _, path := range []string{"/attachments/{id}/content", "/portal/attachments/{id}/content"} {
		paths[prefix+path].Get.Responses["200"].Content = binary(acceptedTypes...)
	}
}

func binary(mediaTypes ...string) map[string]*huma.MediaType {
	content := map[string]*huma.MediaType{}
	for _, name := range mediaTypes {
		content[name] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	return content
}

type listAttachmentsInput struct {
	Path
	Paging
	Sort       string `query:"sort" enum:"createdAt,-createdAt" default:"createdAt" doc:"Order; a minus turns it round."`
	Visibility string `query:"visibility" enum:"shared,internal" doc:"Only files of this kind."`
}

type listAttachmentsOutput struct {
	Body struct {
		Attachments []attachment `json:"attachments" nullable:"false"`
		Pagination  pagination   `json:"pagination"`
	}
}

func (a *API) listAttachments(ctx context.Context, in *listAttachmentsInput) (*listAttachmentsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.Attachment
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().AttachmentsPageWithCount(ctx, tx, query.AttachmentsPageParams{
			TicketID: in.ID, Visibility: given(in.Visibility),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return showAttachments(w, rows, total), nil
}

func showAttachments(w window, rows []query.Attachment, total int64) *listAttachmentsOutput {
	out := &listAttachmentsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(r query.Attachment) uuid.UUID { return r.ID })
	out.Body.Attachments = make([]attachment, len(rows))
	for i, row := range rows {
		out.Body.Attachments[i] = toAttachment(row)
	}
	return out
}

type listPortalAttachmentsInput struct {
	Path
	Paging
	Sort string `query:"sort" enum:"createdAt,-createdAt" default:"createdAt" doc:"Order; a minus turns it round."`
}

// listPortalAttachments is listAttachments for the ticket's tenant, who sees what is
// shared.
func (a *API) listPortalAttachments(ctx context.Context, in *listPortalAttachmentsInput) (*listAttachmentsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.Attachment
	var total int64
	err = a.db.AsTenant(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().PortalAttachmentsPageWithCount(ctx, tx, query.PortalAttachmentsPageParams{
			TicketID: in.ID, Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return showAttachments(w, rows, total), nil
}

func (a *API) getAttachment(ctx context.Context, in *Path) (*shown[attachment], error) {
	var row query.Attachment
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().Attachment(ctx, tx, in.ID)
		return err
	})
	return &shown[attachment]{ETag: etag(onlyVersion), Body: toAttachment(row)}, err
}

// deleteAttachment deletes the row first: a row without its file is a lie to
// people, a file without its row is out of everybody's reach.
func (a *API) deleteAttachment(ctx context.Context, in *removeInput) (*struct{}, error) {
	var key string
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		row, err := query.New().Attachment(ctx, tx, in.ID)
		if err != nil {
			return forbidMissing(err)
		}
		if err := in.check(onlyVersion); err != nil {
			return err
		}
		key = row.StorageKey
		removed, err := query.New().AttachmentDelete(ctx, tx, in.ID)
		return removal(removed, err)
	})
	if err == nil {
		a.deleteFiles(ctx, key)
	}
	return nil, err
}

// deleteFiles deletes what no row names. A failure is logged and nothing else: the
// caller has got what they asked for.
func (a *API) deleteFiles(ctx context.Context, keys ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTime)
	defer cancel()
	for _, key := range keys {
		if err := a.files.Delete(ctx, key); err != nil {
			slog.ErrorContext(ctx, "a file that no row names could not be deleted", "key", key, "error", err)
		}
	}
}

// ticketFiles returns what is left to do when a ticket is deleted, and with it the
// rows of its files.
func (a *API) ticketFiles(ctx context.Context, tx query.DBTX, ticketID uuid.UUID) (func(context.Context), error) {
	keys, err := query.New().AttachmentKeys(ctx, tx, ticketID)
	return func(ctx context.Context) { a.deleteFiles(ctx, keys...) }, err
}

// content is a file's bytes. A browser saves them and neither shows nor runs them.
type content struct {
	ContentType   string `header:"Content-Type" doc:"What the file was recognised as"`
	ContentLength string `header:"Content-Length" doc:"Its size in bytes"`
	Disposition   string `header:"Content-Disposition" doc:"Its name, to save it under"`
	Policy        string `header:"Content-Security-Policy" doc:"Forbids everything to what is in the file"`
	ETag          string `header:"ETag" doc:"Its version; a file never changes"`
	Body          func(huma.Context)
}

func (a *API) attachmentContent(ctx context.Context, in *Path) (*content, error) {
	return a.content(ctx, a.db.AsLandlord, in.ID)
}

func (a *API) portalAttachmentContent(ctx context.Context, in *Path) (*content, error) {
	return a.content(ctx, a.db.AsTenant, in.ID)
}

// persona runs a transaction as somebody: db.DB's AsLandlord or AsTenant.
type persona func(context.Context, db.Access, func(*db.Tx) error) error

// content opens the file of a row that the caller may read.
func (a *API) content(ctx context.Context, as persona, id uuid.UUID) (*content, error) {
	var row query.Attachment
	err := as(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().Attachment(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTime)
	file, err := a.files.Open(ctx, row.StorageKey)
	if err != nil {
		cancel()
		return nil, fileTrouble(ctx, err)
	}
	return &content{
		ContentType: row.MediaType, ContentLength: strconv.FormatInt(row.SizeBytes, 10),
		Disposition: mime.FormatMediaType("attachment", map[string]string{"filename": row.FileName}), // RFC 5987 where needed
		Policy:      "sandbox; default-src 'none'; frame-ancestors 'none'",
		ETag:        etag(onlyVersion),
		Body: func(hc huma.Context) {
			defer cancel()
			defer func() { _ = file.Close() }() // only read
			_, w := humachi.Unwrap(hc)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime)) // or the server's own holds
			hc.SetStatus(http.StatusOK)
			if _, err := io.Copy(hc.BodyWriter(), file); err != nil {
				slog.WarnContext(ctx, "a download ended early", "error", err)
			}
		},
	}, nil
}

// Upload is a file that comes in as the request's body. It is read when its
// time has come, and never held in memory.
type Upload struct {
	Path
	Idempotent
	FileName line `query:"fileName" required:"true" maxLength:"150" example:"leak.jpg" doc:"The file's name"`

	mediaType string
	body      io.Reader
}

// Resolve takes the body from huma. It implements huma.Resolver.
func (in *Upload) Resolve(hc huma.Context) []error {
	_ = hc.SetReadDeadline(time.Now().Add(transferTime)) // or the server's own holds
	in.mediaType, in.body = hc.Header("Content-Type"), hc.BodyReader()
	return nil
}

type createAttachmentInput struct {
	Upload
	Visibility string `query:"visibility" enum:"shared,internal" default:"shared" doc:"Whether the tenant who reported the ticket may see it"`
}

// createAttachment asks for the ticket before it takes the file, so that nobody
// fills a store that is not theirs.
func (a *API) createAttachment(ctx context.Context, in *createAttachmentInput) (*created[attachment], error) {
	u := upload{
		Upload: &in.Upload, as: a.db.AsLandlord, operation: "createAttachment", location: "/attachments/%s", visibility: in.Visibility,
		insert: query.New().AttachmentCreate,
	}
	u.place = func(ctx context.Context, tx *db.Tx) (owner, other uuid.UUID, err error) {
		of, err := query.New().AttachmentTicket(ctx, tx, in.ID)
		if of.TenantUserID == nil || in.Visibility == "internal" {
			return of.OwnerUserID, of.OwnerUserID, err
		}
		return of.OwnerUserID, *of.TenantUserID, err
	}
	return a.keepUpload(ctx, u)
}

func (a *API) createPortalAttachment(ctx context.Context, in *Upload) (*created[attachment], error) {
	u := upload{Upload: in, as: a.db.AsTenant, operation: "createPortalAttachment", location: "/portal/attachments/%s/content", visibility: "shared"}
	u.insert = func(ctx context.Context, tx query.DBTX, p query.AttachmentCreateParams) (query.Attachment, error) {
		return query.New().PortalAttachmentCreate(ctx, tx, query.PortalAttachmentCreateParams{
			TicketID: p.TicketID, StorageKey: p.StorageKey, FileName: p.FileName, MediaType: p.MediaType,
			SizeBytes: p.SizeBytes, Sha256: p.Sha256,
		})
	}
	u.place = func(ctx context.Context, tx *db.Tx) (owner, other uuid.UUID, err error) {
		caller, _ := auth.From(ctx) // AsTenant has seen to it
		owner, err = query.New().PortalAttachmentTicket(ctx, tx, in.ID)
		return owner, caller.UserID, err
	}
	return a.keepUpload(ctx, u)
}

// onlyVersion is that of every attachment: a file never changes.
const onlyVersion = 1

func toAttachment(r query.Attachment) attachment {
	return attachment{
		ID: r.ID, TicketID: r.TicketID, FileName: r.FileName, MediaType: r.MediaType, Size: r.SizeBytes,
		Visibility: r.Visibility, CreatedAt: r.CreatedAt,
	}
}

// fileTrouble words a store's failure for the one who wanted a file.
func fileTrouble(ctx context.Context, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		slog.ErrorContext(ctx, "a row names a file that is not in the store", "error", err)
		return errs.New(errs.NotFound, "file_missing", "The file itself is not there any more.").Because(err)
	}
	e := errs.New(errs.Unavailable, "storage_unavailable", "The place where files are kept can't be reached. Try again shortly.")
	e.RetryAfter = 5 * time.Second
	return e.Because(err)
}
