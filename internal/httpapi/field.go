package httpapi

import (
	"reflect"
	"strings"

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
