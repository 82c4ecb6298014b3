package httpapi

import (
	"encoding/base64"
	"math"

	"github.com/google/uuid"

	"rowhouse/internal/errs"
)

const maxPageSize = 100

// Paging are the parameters that every list takes.
type Paging struct {
	Page   int64  `query:"page" minimum:"1" default:"1" doc:"Which page, from 1."`
	Limit  int64  `query:"limit" minimum:"1" default:"50" doc:"Rows on a page. More than 100 is served as 100."`
	Cursor string `query:"cursor" maxLength:"100" example:"*" doc:"To walk through everything: start with * and go on with pagination.nextCursor until it is null. Rows come in a fixed order; page and sort are ignored, filters hold. Rows made or deleted meanwhile disturb nothing else."`
}

// Search is the parameter of a list that can be searched.
type Search struct {
	Q string `query:"q" maxLength:"100" doc:"Search: part of a name, an address or a reference, in any case."`
}

// ListParams are the parameters of a list that can be searched.
type ListParams struct {
	Paging
	Search
}

// pagination says where in a list an answer stands.
type pagination struct {
	Page       *int64  `json:"page,omitempty" example:"1" doc:"Absent when walking with a cursor"`
	Limit      int64   `json:"limit" example:"50"`
	Total      int64   `json:"total" example:"120" doc:"Rows that match the filters"`
	TotalPages *int64  `json:"totalPages,omitempty" example:"3" doc:"Absent when walking with a cursor"`
	HasNext    bool    `json:"hasNext" example:"true"`
	HasPrev    *bool   `json:"hasPrev,omitempty" example:"false" doc:"Absent when walking with a cursor"`
	NextCursor *string `json:"nextCursor,omitempty" example:"NMFTfWOES_67SYqJ3mDSgQ" doc:"The cursor of the next rows; absent at the end and when paging"`
}

// window is what a query needs of the parameters.
type window struct {
	sort   string
	after  *uuid.UUID // rows with a greater id, when walking
	offset int64
	limit  int64
	page   int64 // 0 when walking
}

func (p Paging) window(sort string) (window, error) {
	w := window{sort: sort, limit: min(p.Limit, maxPageSize), page: p.Page}
	if p.Cursor == "" {
		// beyond any table, and short of overflow
		w.offset = min(p.Page-1, math.MaxInt32) * w.limit
		return w, nil
	}
	w.sort, w.page, w.after = "id", 0, &uuid.Nil
	if p.Cursor == "*" {
		return w, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	id, parseErr := uuid.FromBytes(raw)
	if err != nil || parseErr != nil {
		return window{}, errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").
			At(errs.Field{Parameter: "cursor", Message: "expected * or a nextCursor from an earlier answer"})
	}
	w.after = &id
	return w, nil
}

// rows is how many rows to ask for: walking, one more than asked for tells
// whether there are further ones.
func (w window) rows() int64 {
	if w.page == 0 {
		return w.limit + 1
	}
	return w.limit
}

// paginate cuts rows to the window and describes it. Without rows it is still a
// valid answer: an empty page.
func paginate[R any](w window, rows []R, total int64, id func(R) uuid.UUID) ([]R, pagination) {
	p := pagination{Limit: w.limit, Total: total}
	if w.page == 0 {
		if int64(len(rows)) > w.limit {
			rows = rows[:w.limit]
			last := id(rows[len(rows)-1])
			cursor := base64.RawURLEncoding.EncodeToString(last[:])
			p.HasNext, p.NextCursor = true, &cursor
		}
		return rows, p
	}
	pages := (total + w.limit - 1) / w.limit
	hasPrev := w.page > 1
	p.Page, p.TotalPages, p.HasPrev, p.HasNext = &w.page, &pages, &hasPrev, w.page < pages
	return rows, p
}
