package probe

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

//go:embed report.html
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"words": func(o Outcome) string { return strings.ReplaceAll(string(o), "_", " ") },
	"join":  strings.Join,
}).Parse(pageText))

// WriteHTML puts the report into a file as one page that needs no other.
func (r *Report) WriteHTML(path string) error {
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return replace(path, b.Bytes())
}
