package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzParse reads any bytes. Whatever they are, the answer is a table inside the
// limits or an *Error, the same each time; and where encoding/csv can read them, the
// same as encoding/csv's.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../tests/imports/corpus/*.csv")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := table(string(data))
		again, errAgain := table(string(data))
		require.Equal(t, rows, again)
		require.Equal(t, err, errAgain)

		lines := lineOf(data)
		if err != nil {
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.NotEmpty(t, refused.Message)
			require.LessOrEqual(t, refused.Line, lines)
		}
		require.LessOrEqual(t, len(rows), MaxRows)
		last := 0
		for _, row := range rows {
			require.Greater(t, row.Line, last)
			require.LessOrEqual(t, len(row.Cells), MaxColumns)
			for _, cell := range row.Cells {
				require.True(t, utf8.ValidString(cell))
				require.LessOrEqual(t, utf8.RuneCountInString(cell), MaxCell)
			}
			last = row.Line
		}
		if err == nil {
			compare(t, data, rows)
		}
	})
}

// compare holds rows to what encoding/csv reads in files that both can read.
func compare(t *testing.T, data []byte, rows []Row) {
	f, err := Parse(data)
	require.NoError(t, err)
	_, separator := separatorLine(f.text())
	lineEnds := bytes.ReplaceAll(data, []byte("\r\n"), nil)
	if f.Encoding != UTF8 || f.Delimiter == '\t' || separator != "" || bytes.ContainsAny(lineEnds, "\r\x1a") {
		return
	}
	r := csv.NewReader(bytes.NewReader(f.data))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = f.Delimiter, -1, true
	theirs, err := r.ReadAll()
	if err != nil {
		return
	}
	var ours [][]string
	for _, row := range rows {
		ours = append(ours, plain(row.Cells))
	}
	var want [][]string
	for _, cells := range theirs {
		for i, cell := range cells {
			cells[i] = restore(cell)
		}
		want = append(want, plain(cells))
	}
	filled := func(table [][]string) (out [][]string) { // they have no blank lines
		for _, cells := range table {
			if len(cells) > 0 {
				out = append(out, cells)
			}
		}
		return out
	}
	require.Equal(t, filled(want)[1:], append([][]string{}, filled(ours)...))
}

// plain is a row without what only one of the two keeps: spaces in front, and how a
// line breaks.
func plain(cells []string) (out []string) {
	filled := 0
	for i, cell := range cells {
		cell = strings.ReplaceAll(cell, "\r\n", "\n")
		out = append(out, strings.TrimSpace(cell))
		if out[i] != "" {
			filled = i + 1
		}
	}
	return out[:filled]
}

// FuzzWriter writes any cells. What is written has no formula in it, and reads back
// as it was.
func FuzzWriter(f *testing.F) {
	f.Add("=1", "b", "'c")
	f.Add("\r", "\t\t", "\n")
	f.Add(`="0012"`, `"`, "''＝")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, cell := range []string{a, b, c} {
			if !utf8.ValidString(cell) || strings.ContainsAny(cell, "\x00") || utf8.RuneCountInString(cell) > MaxCell-1 {
				return // no text of ours
			}
		}
		cells := []string{"first", a, b, c, "last"}
		var out bytes.Buffer
		w := NewWriter(&out)
		require.NoError(t, w.Write([]string{"1", "2", "3", "4", "5"}))
		require.NoError(t, w.Write(cells))
		require.NoError(t, w.Flush())

		rows, err := table(out.String())
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, cells, rows[0].Cells)

		r := csv.NewReader(&out)
		for {
			written, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			for _, cell := range written {
				require.False(t, isFormula(cell), cell)
			}
		}
	})
}
