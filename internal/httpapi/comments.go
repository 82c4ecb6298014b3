package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// CommentData is what can be changed of a comment.
type CommentData struct {
	Body text `json:"body" maxLength:"10000" example:"The plumber comes on Monday." doc:"One line or several"`
}

// NewComment is what a comment is made of.
type NewComment struct {
	CommentData
	Kind string `json:"kind,omitempty" enum:"shared,internal" default:"shared" doc:"Whether the tenant who reported the ticket may read it. It can't be changed afterwards"`
}

// comment is a comment as the API shows it to the ticket's landlord.
type comment struct {
	ID       uuid.UUID `json:"id" format:"uuid"`
	TicketID uuid.UUID `json:"ticketId" format:"uuid"`
	NewComment
	Author    string     `json:"author" enum:"landlord,tenant"`
	EditedAt  *time.Time `json:"editedAt,omitempty" doc:"When its text was last changed"`
	Version   int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt time.Time  `json:"createdAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
}

type listCommentsInput struct {
	Path
	Paging
	Q    string `query:"q" maxLength:"100" doc:"Search: part of a comment, in any case."`
	Sort string `query:"sort" enum:"createdAt,-createdAt" default:"createdAt" doc:"Order; a minus turns it round."`
	Kind string `query:"kind" enum:"shared,internal" doc:"Only comments of this kind."`
}

type listCommentsOutput struct {
	Body struct {
		Comments   []comment  `json:"comments" nullable:"false"`
		Pagination pagination `json:"pagination"`
	}
}

func (a *API) listComments(ctx context.Context, in *listCommentsInput) (*listCommentsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.TicketComment
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().TicketCommentsPageWithCount(ctx, tx, query.TicketCommentsPageParams{
			TicketID: in.ID, Kind: given(in.Kind), Q: strings.TrimSpace(in.Q),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listCommentsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(c query.TicketComment) uuid.UUID { return c.ID })
	out.Body.Comments = make([]comment, len(rows))
	for i, row := range rows {
		out.Body.Comments[i] = toComment(row)
	}
	return out, nil
}

type createCommentInput struct {
	Path
	Idempotent
	Body NewComment
}

func (a *API) createComment(ctx context.Context, in *createCommentInput) (out *created[comment], err error) {
	request := struct {
		Ticket uuid.UUID
		Body   NewComment
	}{in.ID, in.Body}
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "createComment", request, func() (*created[comment], error) {
			row, err := query.New().TicketCommentCreate(ctx, tx, query.TicketCommentCreateParams{
				TicketID: in.ID, Kind: in.Body.Kind, Body: string(in.Body.Body),
			})
			return &created[comment]{
				Location: prefix + "/comments/" + row.ID.String(), ETag: etag(row.Version), Body: toComment(row),
			}, err
		})
		return err
	})
	return out, err
}

// Comments are changed and deleted by those who wrote them: the policy shows nobody
// else's for that.
var commentsResource = resource[query.TicketComment, CommentData, comment]{
	path: "/comments", name: "Comment", noun: "a comment",
	read: query.New().TicketComment, lock: query.New().TicketCommentForUpdate,
	update: func(ctx context.Context, tx *db.Tx, id uuid.UUID, d CommentData) (query.TicketComment, error) {
		return query.New().TicketCommentUpdate(ctx, tx, query.TicketCommentUpdateParams{ID: id, Body: string(d.Body)})
	},
	remove:  query.New().TicketCommentDelete,
	show:    toComment,
	data:    func(c query.TicketComment) CommentData { return toComment(c).CommentData },
	version: func(c query.TicketComment) (uuid.UUID, int32) { return c.ID, c.Version },
	refused: func(err error) error { return err },
}

func toComment(c query.TicketComment) comment {
	return comment{
		ID: c.ID, TicketID: c.TicketID, NewComment: NewComment{CommentData{text(c.Body)}, c.Kind},
		Author: c.Author, EditedAt: c.EditedAt, Version: c.Version, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}
