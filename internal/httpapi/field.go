package httpapi

import (
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// line is text on one line: any script, no control characters, not blank.
type line string

// TransformSchema adds what the type demands to what a field's tags do.
func (line) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Pattern = `^[^\p{Cc}]*[^\p{Cc}\p{Z}][^\p{Cc}]*$`
	s.PatternDescription = "one line of text that is not blank"
	return s
}

// trimmed is for what has to be told apart: spaces around a name are slips.
func (l line) trimmed() string { return strings.TrimSpace(string(l)) }

// text is a line or several: any script, no control characters but line feeds and
// tabs, not blank.
type text string

// TransformSchema adds what the type demands to what a field's tags do.
func (text) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	const inside = `[^\x00-\x08\x0b-\x1f\x7f-\x9f]*`
	s.Pattern = `^` + inside + `[^\p{Cc}\p{Z}]` + inside + `$`
	s.PatternDescription = "text that is not blank"
	return s
}

// cell is what may stand in a spreadsheet: anything, or nothing, but NUL, which Postgres
// keeps in no text. What of it is no value, its row is told.
type cell string

// TransformSchema adds what the type demands to what a field's tags do.
func (cell) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Pattern = `^[^\x00]*$`
	s.PatternDescription = "text without NUL"
	return s
}

// email is an address alone, without a name: whether it takes mail, only mail can
// tell.
type email string

// TransformSchema adds what the type demands to what a field's tags do.
func (email) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	const part = `[^\p{Cc}\p{Z}@.,:;<>()\[\]\\"]+`
	maxLength := 320
	s.Pattern = `^` + part + `(\.` + part + `)*@` + part + `(\.` + part + `)+$`
	s.PatternDescription = "an e-mail address"
	s.MaxLength = &maxLength
	return s
}

// normal is e as it is kept and compared. Nobody tells two people apart by the
// case of their addresses.
func (e email) normal() string { return strings.ToLower(string(e)) }

func normalEmail(e *email) *string {
	if e == nil {
		return nil
	}
	normal := e.normal()
	return &normal
}

// date is a day, without a time or a zone, as YYYY-MM-DD. Dates compare as the
// days do.
type date string

// TransformSchema adds what the type demands to what a field's tags do.
func (date) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Format = "date"
	return s
}

func dateOf(day time.Time) date { return date(day.Format(time.DateOnly)) }

func optionalDate(day *time.Time) *date {
	if day == nil {
		return nil
	}
	d := dateOf(*day)
	return &d
}

// day is d at midnight. The schema has refused what is no date.
func (d date) day() time.Time {
	day, _ := time.Parse(time.DateOnly, string(d))
	return day
}

func optionalDay(d *date) *time.Time {
	if d == nil {
		return nil
	}
	day := d.day()
	return &day
}

// Address is where something stands. Every part may be missing. Like the other
// types that are embedded in a request or an answer it is exported, or neither
// huma nor the encoder would see its fields.
type Address struct {
	Address1   *line   `json:"address1,omitempty" nullable:"true" maxLength:"200" example:"12 Canal Street"`
	Address2   *line   `json:"address2,omitempty" nullable:"true" maxLength:"200" example:"Rear building"`
	City       *line   `json:"city,omitempty" nullable:"true" maxLength:"100" example:"Utrecht"`
	State      *line   `json:"state,omitempty" nullable:"true" maxLength:"100" example:"UT"`
	PostalCode *line   `json:"postalCode,omitempty" nullable:"true" maxLength:"20" example:"3511 AB"`
	Country    *string `json:"country,omitempty" nullable:"true" pattern:"^[A-Z]{2}$" patternDescription:"two letters of ISO 3166-1" example:"NL"`
}

// given is a filter that was sent, or nil.
func given[T comparable](value T) *T {
	var none T
	if value == none {
		return nil
	}
	return &value
}

// optionalID is an id in the query that may be absent, which is not the same as
// the id of zeros. It implements huma.ParamWrapper and huma.ParamReactor.
type optionalID struct {
	ID   uuid.UUID
	sent bool
}

// Schema is that of an id.
func (optionalID) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Format: "uuid"}
	s.PrecomputeMessages()
	return s
}

// Receiver is where huma writes the id to.
func (o *optionalID) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet tells whether the id was there.
func (o *optionalID) OnParamSet(sent bool, _ any) { o.sent = sent }

func (o *optionalID) given() *uuid.UUID {
	if !o.sent {
		return nil
	}
	return &o.ID
}

func archivedFilter(value string) *bool {
	if value == "all" {
		return nil
	}
	archived := value == "true"
	return &archived
}
