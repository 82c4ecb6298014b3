package policy

import (
	_ "embed"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	"text/template"
)

//go:embed matrix.md.tmpl
var matrixMarkdown string

//go:embed matrix.html.tmpl
var matrixHTML string

var (
	markdown = template.Must(template.New("matrix").Funcs(template.FuncMap{
		"code": code, "codes": codes, "plain": strings.NewReplacer("|", `\|`).Replace,
	}).Parse(matrixMarkdown))
	html = htmltemplate.Must(htmltemplate.New("matrix").Parse(matrixHTML))
)

// WriteMarkdown writes the matrix as GitHub shows it.
func (m Matrix) WriteMarkdown(w io.Writer) error {
	if err := markdown.Execute(w, m.page()); err != nil {
		return fmt.Errorf("write the matrix: %w", err)
	}
	return nil
}

// WriteHTML writes the matrix as one page that needs no other file.
func (m Matrix) WriteHTML(w io.Writer) error {
	if err := html.Execute(w, m.page()); err != nil {
		return fmt.Errorf("write the matrix: %w", err)
	}
	return nil
}

// code is text as Markdown's code, within a table.
func code(text string) string { return "`" + strings.ReplaceAll(text, "|", `\|`) + "`" }

func codes(texts []string) string {
	if len(texts) == 0 {
		return "–"
	}
	marked := make([]string, len(texts))
	for i, text := range texts {
		marked[i] = code(text)
	}
	return strings.Join(marked, ", ")
}
