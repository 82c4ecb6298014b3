package probe

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// prefix begins every text of the probe's: rows of earlier runs are known by it.
const prefix = "isolation probe"

// sampler makes up values that a document allows.
type sampler struct {
	marker string // what tells a run's canary from all others
	number int
}

// text is a text that holds the marker.
func (s sampler) text() string { return fmt.Sprintf("%s %s %d", prefix, s.marker, s.number) }

// address is an e-mail address that holds the marker and that no mail reaches.
func (s sampler) address() string {
	return fmt.Sprintf("isolation-probe-%s-%d@example.invalid", s.marker, s.number)
}

// value returns a value for a parameter or member, if one is known.
func (s sampler) value(name string, of schema) (any, bool) {
	switch {
	case len(of.Enum) > 0:
		return of.Enum[0], true
	case of.is("array") && of.Items != nil && len(of.Items.Enum) > 0:
		return []any{of.Items.Enum[0]}, true
	case of.is("array") && of.Items != nil && of.Items.is("object"):
		return []any{s.body(*of.Items)}, true
	case of.Format == "uuid", of.is("object"), of.is("array"):
		return nil, false
	case of.is("string") && of.Format == "":
		texts := []string{s.text(), s.address()}
		if strings.Contains(strings.ToLower(name), "email") {
			slices.Reverse(texts)
		}
		for _, text := range texts {
			if of.fits(text) {
				return text, true
			}
		}
	}
	switch {
	case len(of.Examples) > 0:
		return of.Examples[0], true
	case of.Default != nil:
		return of.Default, true
	case of.Format == "date":
		return "2030-01-01", true
	case of.Format == "date-time":
		return "2030-01-01T12:00:00Z", true
	case of.is("boolean"):
		return false, true
	case of.is("integer"), of.is("number"):
		if of.Minimum != nil {
			return *of.Minimum, true
		}
		return 1, true
	}
	return nil, false
}

// fits reports whether the schema allows a text, as far as Go can tell.
func (s schema) fits(text string) bool {
	length := utf8.RuneCountInString(text)
	if length < s.MinLength || s.MaxLength != nil && length > *s.MaxLength {
		return false
	}
	if s.Pattern == "" {
		return true
	}
	pattern, err := regexp.Compile(s.Pattern)
	return err == nil && pattern.MatchString(text)
}

// longText is the length from which a text is somebody's own words: the probe
// fills these in although they may be absent.
const longText = 1000

// body returns a body with the required members, ids apart, and the long texts.
func (s sampler) body(of schema) map[string]any {
	body := map[string]any{}
	for name, member := range sorted(of.Properties) {
		long := member.is("string") && member.MaxLength != nil && *member.MaxLength >= longText
		if !long && !slices.Contains(of.Required, name) {
			continue
		}
		if value, ok := s.value(name, member); ok {
			body[name] = value
		}
	}
	return body
}

// tableType is the type of spreadsheets that the probe makes.
const tableType = "text/csv"

// table is a spreadsheet of one unit and who lives there.
func (s sampler) table() []byte {
	return fmt.Appendf(nil, "unit,first name,last name\n%s,%[1]s,%[1]s\n", s.text())
}

const pictureType = "image/png"

// picture is a small image.
func picture() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))) // a buffer takes everything
	return b.Bytes()
}

// sorted goes through a map by its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
