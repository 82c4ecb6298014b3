package imports

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
)

// The codes of rows that are not taken, or not as the file has them; stable, for
// programs.
const (
	CodeMissing       = "missing_required"
	CodeEmail         = "invalid_email"
	CodeDate          = "invalid_date"
	CodePhone         = "invalid_phone"
	CodeNumber        = "invalid_number"
	CodeChoice        = "invalid_choice"
	CodeText          = "invalid_text"
	CodeTooLong       = "too_long"
	CodeMalformed     = "malformed_csv"
	CodeBlank         = "blank"
	CodeDuplicate     = "duplicate_in_file"
	CodeExists        = "already_exists"
	CodeUnknownUnit   = "unknown_unit"
	CodeAmbiguousUnit = "ambiguous_unit"
	CodeArchived      = "archived_target"
	CodeRefused       = "refused"
)

// The codes of rows that are taken, and that somebody should look at.
const (
	CodeOverlap = "overlapping_tenancy"
	CodePending = "invite_pending"
)

// Problem says why a row is not taken, in words for whoever made the file.
type Problem struct {
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"` // empty if the whole row is to blame
	Message string `json:"message"`         // without the value: it may be somebody's
}

// Reading is what a row of a file means.
type Reading struct {
	// Fields are the values that are not empty, by field: text as it is kept, numbers
	// with a point, dates as 2006-01-02.
	Fields map[string]string
	// SameAs is the same for rows that are about the same thing.
	SameAs string
	// Problem is set, and Fields are not, if the row can't be taken.
	Problem *Problem
}

// Missing are the fields that a mapping lacks for files of this kind, in words.
func (k Kind) Missing(m csvfile.Mapping) (missing []string) {
	if k != Tenants && m.Column("unit") < 0 {
		missing = append(missing, "unit")
	}
	if k == Tenants && m.Column("fullName") < 0 {
		for _, name := range []string{"firstName", "lastName"} {
			if m.Column(name) < 0 {
				missing = append(missing, name)
			}
		}
	}
	return missing
}

// Read makes sense of a row. What can only be known from the landlord's books, it
// leaves alone.
func (k Kind) Read(m csvfile.Mapping, cells []string) Reading {
	if len(cells) == 0 {
		return Reading{Problem: &Problem{CodeBlank, "", "The line is blank."}}
	}
	if len(cells) > len(m) {
		return Reading{Problem: &Problem{CodeMalformed, "", fmt.Sprintf("The row has %d cells, the header %d: is there a comma too many?", len(cells), len(m))}}
	}
	fields := map[string]string{}
	for i, cell := range cells {
		field := m[i]
		if field == "" {
			continue
		}
		value, problem := value(field, cell)
		if problem != nil {
			problem.Field = field
			return Reading{Problem: problem}
		}
		if value != "" {
			fields[field] = value
		}
	}
	k.tidy(fields)
	if k == Tenants && !about(fields) { // as in a template that was not filled in to its end
		return Reading{Problem: &Problem{CodeBlank, "", "The row names nobody."}}
	}
	if problem := k.complete(fields); problem != nil {
		return Reading{Problem: problem}
	}
	return Reading{Fields: fields, SameAs: k.sameAs(fields)}
}

// tidy takes apart what stands in one cell for two.
func (k Kind) tidy(fields map[string]string) {
	if full, ok := fields["fullName"]; ok {
		delete(fields, "fullName")
		first, last := csvfile.SplitName(full)
		for field, name := range map[string]string{"firstName": first, "lastName": last} {
			if fields[field] == "" && name != "" {
				fields[field] = name
			}
		}
	}
	// a name in the column for ids is a name all the same
	if id, ok := fields["unitId"]; ok {
		if parsed, err := uuid.Parse(id); err == nil {
			fields["unitId"] = parsed.String()
		} else {
			delete(fields, "unitId")
			if fields["unit"] == "" {
				fields["unit"] = id
			}
		}
	}
}

// about reports whether a row says anything of a tenant.
func about(fields map[string]string) bool {
	return slices.ContainsFunc(tenantFields, func(f csvfile.Field) bool { return fields[f.Name] != "" })
}

// complete says what a row lacks.
func (k Kind) complete(fields map[string]string) *Problem {
	required := []string{"unit"}
	switch {
	case k == Tenants:
		required = []string{"firstName", "lastName"}
	case k == Portfolio && about(fields):
		required = []string{"unit", "firstName", "lastName"}
	}
	for _, field := range required {
		if fields[field] == "" {
			return &Problem{CodeMissing, field, "This must not be empty."}
		}
		if most := lengths[field]; utf8.RuneCountInString(fields[field]) > most { // a part of a full name
			return tooLong(field)
		}
	}
	start, end := fields["startDate"], fields["endDate"]
	switch {
	case end != "" && start == "":
		return &Problem{CodeMissing, "startDate", "A day of moving out needs one of moving in."}
	case end != "" && end < start:
		return &Problem{CodeDate, "endDate", "Moving out comes before moving in."}
	case start != "" && fields["unit"] == "" && fields["unitId"] == "":
		return &Problem{CodeMissing, "unit", "A day of moving in needs the unit."}
	}
	return nil
}

// sameAs is what a row is about.
func (k Kind) sameAs(fields map[string]string) string {
	unit := strings.ToLower(strings.Join([]string{fields["unitId"], fields["propertyName"], fields["unit"]}, "\t"))
	tenant := strings.ToLower(fields["email"])
	if tenant == "" && about(fields) {
		tenant = strings.ToLower(strings.Join([]string{fields["firstName"], fields["lastName"], unit}, "\t"))
	}
	switch k {
	case Units:
		return unit
	case Portfolio:
		return unit + "\n" + tenant
	}
	return tenant
}

// lengths are how many characters a text may have, as the API and the database have it.
var lengths = map[string]int{
	"unit": 200, "unitId": 200, "propertyName": 200, "address1": 200, "address2": 200, "city": 100, "state": 100, "postalCode": 20,
	"unitRef": 100, "tenantRef": 100, "firstName": 100, "lastName": 100, "fullName": 250, "phone": 50, "notes": 5000,
}

func tooLong(field string) *Problem {
	return &Problem{CodeTooLong, field, fmt.Sprintf("This is longer than %d characters.", lengths[field])}
}

// value reads a cell as a field is kept. An empty value says nothing.
func value(field, cell string) (string, *Problem) {
	text := csvfile.Line(cell)
	if field == "notes" {
		text = csvfile.Text(cell)
	}
	if text == "" {
		return "", nil
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return "", &Problem{Code: CodeText, Message: "There are control characters in this."}
	}
	switch field {
	case "email":
		return email(text)
	case "startDate", "endDate":
		return date(text)
	case "bedrooms", "bathrooms", "areaM2":
		return number(field, text)
	case "kind", "status", "country":
		return choice(field, text)
	}
	if utf8.RuneCountInString(text) > lengths[field] {
		return "", tooLong(field)
	}
	if field == "phone" && strings.IndexFunc(text, unicode.IsDigit) < 0 {
		return "", &Problem{Code: CodePhone, Message: "There is no digit in this phone number."}
	}
	return text, nil
}
