package csvfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"golang.org/x/text/unicode/norm"
)

// Field is something that a column can hold.
type Field struct {
	Name     string   // the API's
	Synonyms []string // what people call it; case, accents, spaces and punctuation do not matter
}

// Mapping says what each column holds: the name of a field, or nothing for a column
// that is left out. No field is named twice.
type Mapping []string

// Match maps the columns whose headings are a field's name or one of its synonyms.
// Of two columns for one field it takes the first.
func Match(header []string, fields []Field) Mapping {
	known := map[string]string{}
	for _, field := range fields {
		for _, word := range append([]string{field.Name}, field.Synonyms...) {
			known[key(word)] = field.Name
		}
	}
	m := make(Mapping, len(header))
	for i, heading := range header {
		if name := known[key(heading)]; name != "" && m.Column(name) < 0 {
			m[i] = name
		}
	}
	return m
}

// Suggest returns, for each column that m leaves out, the field whose name or synonym
// is spelt nearly like the heading, if m has no column for it yet. It is for a person
// to accept: a letter can make another word.
func (m Mapping) Suggest(header []string, fields []Field) []string {
	suggestions := make([]string, len(header))
	for i, heading := range header {
		word := key(heading)
		letters := len([]rune(word))
		if i < len(m) && m[i] != "" || letters < 4 {
			continue
		}
		nearest := 1 + max(min(letters-3, 2), letters/4) // two letters that changed places are two edits
		for _, field := range fields {
			if m.Column(field.Name) >= 0 || slices.Contains(suggestions, field.Name) {
				continue
			}
			for _, synonym := range append([]string{field.Name}, field.Synonyms...) {
				if d := levenshtein.ComputeDistance(word, key(synonym)); d < nearest {
					nearest, suggestions[i] = d, field.Name
				}
			}
		}
	}
	return suggestions
}

// Column returns the index of the column that holds a field, or -1.
func (m Mapping) Column(field string) int {
	return slices.Index(m, field)
}

// Cell returns what row says of a field, as it was written.
func (m Mapping) Cell(row Row, field string) string {
	if i := m.Column(field); i >= 0 && i < len(row.Cells) {
		return row.Cells[i]
	}
	return ""
}

// Check returns what is wrong with a mapping that somebody made for a table of a
// number of columns, in words for them, or nothing.
func (m Mapping) Check(columns int, fields []Field) string {
	if len(m) != columns {
		return fmt.Sprintf("the file has %d columns", columns)
	}
	for i, name := range m {
		switch {
		case name == "":
		case !slices.ContainsFunc(fields, func(f Field) bool { return f.Name == name }):
			return fmt.Sprintf("column %d is mapped to a field that does not exist", i+1)
		case m.Column(name) != i:
			return fmt.Sprintf("columns %d and %d are mapped to the same field", m.Column(name)+1, i+1)
		}
	}
	return ""
}

// key is what headings are compared by.
func key(heading string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(heading)) {
		switch {
		case r == 'ß':
			b.WriteString("ss")
		case r == 'ø':
			b.WriteByte('o')
		case r == 'ł':
			b.WriteByte('l')
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// particles belong to the family name that follows them.
var particles = map[string]bool{
	"af": true, "al": true, "ap": true, "av": true, "bin": true, "bint": true, "da": true, "dal": true, "de": true, "del": true,
	"della": true, "den": true, "der": true, "des": true, "di": true, "do": true, "dos": true, "du": true, "el": true,
	"ibn": true, "la": true, "le": true, "op": true, "ten": true, "ter": true, "und": true, "van": true, "vom": true,
	"von": true, "zu": true, "zum": true, "zur": true, "'t": true,
}

// SplitName cuts a full name in two: "Byron, Ada" at the comma, and "Ada van den Berg"
// before the last word with the particles that belong to it. A name of one word is a
// last name; a family name of several words without a particle is cut wrong, which is
// why people see the result before it is kept.
func SplitName(full string) (first, last string) {
	full = Line(full)
	if last, first, ok := strings.Cut(full, ","); ok {
		return strings.TrimSpace(first), strings.TrimSpace(last)
	}
	words := strings.Fields(full)
	if len(words) == 0 {
		return "", ""
	}
	at := len(words) - 1
	for at > 1 && particles[strings.ToLower(words[at-1])] {
		at--
	}
	return strings.Join(words[:at], " "), strings.Join(words[at:], " ")
}
