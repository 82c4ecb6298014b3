package httpapi

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// maxBodyBytes bounds a request's body.
const maxBodyBytes = 1 << 20

// strictJSON reads JSON as RFC 8259 and RFC 7493 mean it, where encoding/json
// is lenient: a member that stands twice, a name in another case, invalid UTF-8
// and anything after the value are errors that name the place.
var strictJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error { return json.MarshalWrite(w, v) },
	Unmarshal: func(data []byte, v any) error {
		if err := json.Unmarshal(data, v, nullIsNoValue); err != nil {
			return newBodyError(err)
		}
		return nil
	},
}

// nullIsNoValue refuses null for a member that is no pointer; by default it would
// count as absent, against the document.
var nullIsNoValue = json.WithUnmarshalers(json.JoinUnmarshalers(
	refuseNull[line](), refuseNull[text](), refuseNull[email](), refuseNull[date](), refuseNull[uuid.UUID](), refuseNull[string](), refuseNull[bool]()))

var errNull = errors.New("can't be empty")

func refuseNull[T any]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, _ *T) error {
		if dec.PeekKind() == 'n' {
			return errNull
		}
		return errors.ErrUnsupported // read it as usual
	})
}

// bodyError carries the place of an error through huma, which passes on only
// the text.
type bodyError struct{ pointer, message string }

const bodyErrorMark = "at "

func (e *bodyError) Error() string { return bodyErrorMark + e.pointer + ": " + e.message }

func cutBodyError(text string) (pointer, message string, ok bool) {
	rest, ok := strings.CutPrefix(text, bodyErrorMark)
	if !ok {
		return "", "", false
	}
	pointer, message, ok = strings.Cut(rest, ": ")
	return pointer, message, ok
}

// newBodyError words err without the value at fault.
func newBodyError(err error) *bodyError {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		message := fmt.Sprintf("not valid JSON, at byte %d", syntax.ByteOffset)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			message = "stands twice"
		}
		return &bodyError{string(syntax.JSONPointer), message}
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		if errors.Is(err, json.ErrUnknownName) {
			return &bodyError{string(semantic.JSONPointer), "unexpected property"}
		}
		if errors.Is(err, errNull) {
			return &bodyError{string(semantic.JSONPointer), errNull.Error()}
		}
		return &bodyError{string(semantic.JSONPointer), "not a value that fits here"}
	}
	return &bodyError{"", "not valid JSON"}
}

// patch is a JSON merge patch (RFC 7396) of W: a member that is sent replaces
// the one in W, null clears it, one that is not sent stays.
type patch[W any] struct{ members map[string]jsontext.Value }

// UnmarshalJSON reads the members without looking into them.
func (p *patch[W]) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &p.members) }

// Resolve refuses null for what cannot be empty; huma takes null for absent. It
// implements huma.ResolverWithPath.
func (p *patch[W]) Resolve(_ huma.Context, at *huma.PathBuffer) (refusals []error) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[W]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if value, sent := p.members[name]; sent && field.Type.Kind() != reflect.Pointer && value.Kind() == 'n' {
			refusals = append(refusals, &huma.ErrorDetail{Location: at.With(name), Message: "can't be empty"})
		}
	}
	return refusals
}

// Schema is that of W with nothing required.
func (p patch[W]) Schema(r huma.Registry) *huma.Schema {
	schema := huma.SchemaFromType(r, reflect.TypeFor[W]())
	schema.Required = nil
	for _, property := range schema.Properties {
		property.Default = nil // what is not sent stays as it is
	}
	schema.PrecomputeMessages()
	return schema
}

// apply returns current with p merged in. The members were validated against
// Schema when the request was read.
func (p patch[W]) apply(current W) (patched W, err error) {
	data, err := json.Marshal(current)
	if err != nil {
		return patched, fmt.Errorf("merge patch: %w", err)
	}
	members := map[string]jsontext.Value{}
	if err := json.Unmarshal(data, &members); err != nil {
		return patched, fmt.Errorf("merge patch: %w", err)
	}
	maps.Copy(members, p.members)
	if data, err = json.Marshal(members); err != nil {
		return patched, fmt.Errorf("merge patch: %w", err)
	}
	if err := json.Unmarshal(data, &patched); err != nil {
		return patched, fmt.Errorf("merge patch: %w", err)
	}
	return patched, nil
}
