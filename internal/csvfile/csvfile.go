// Package csvfile reads spreadsheets as people save them, and writes them so that
// they do no harm where they are opened.
//
// A file may be UTF-8, UTF-16 or Windows-1252, with commas, semicolons or tabs, and
// with lines that end as on Windows, Unix or an old Mac. Which, the file itself
// tells; nobody is asked. Whatever stops it is an *Error that names the line and the
// column, because its reader has the file open in Excel and not in an editor.
//
// Rows are cut by a scanner of this package and not by encoding/csv, which knows no
// CR alone, reads a whole row before anybody can say that it is too long, drops blank
// lines, and either refuses an inch mark inside a cell or takes everything after a
// quote that is never closed for one cell. Libraries around it share that. Where
// encoding/csv reads a file, the fuzz test holds the two to the same result.
package csvfile

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// What a file may be at most.
const (
	MaxBytes   = 10 << 20
	MaxRows    = 10_000 // below the header, blank ones between others included
	MaxColumns = 64
	MaxCell    = 10_000 // characters
)

// The codes of an Error; stable, for programs.
const (
	CodeLimit    = "limit_exceeded"
	CodeQuotes   = "malformed_csv"
	CodeNotCSV   = "not_csv"
	CodeEncoding = "unreadable_text"
	CodeEmpty    = "empty_file"
	CodeNoRows   = "no_rows"
)

// Error says why a file cannot be read, in words for whoever made it.
type Error struct {
	Code    string `json:"code"`
	Line    int    `json:"line,omitempty"`   // of the file, from 1; 0 if no line is to blame
	Column  int    `json:"column,omitempty"` // of the table, from 1; 0 if no column is to blame
	Message string `json:"message"`
}

func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.Message
	case e.Column == 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Row is a line of the table.
type Row struct {
	// Line is where it begins in the file. A line break inside quotes counts.
	Line int
	// Cells are as they were written, without quotes, without what Writer or Excel
	// put around them, and without empty ones at the end. There may be fewer or more
	// than the header has. A blank line has none.
	Cells []string
}

// File is a spreadsheet that was recognised. It keeps the bytes, and cuts them into
// rows each time it is asked.
type File struct {
	Encoding  Encoding
	Delimiter rune
	Header    []string // clean; an empty one is a column without a name

	data []byte // without a byte order mark
}

// Read reads a file from r, at most MaxBytes of it. A file that cannot be one is
// refused with an *Error; other errors are r's.
func Read(r io.Reader) (*File, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse recognises a file by its bytes and keeps them: the caller must not change
// them. The rows are looked at when they are read.
func Parse(data []byte) (*File, error) {
	if len(data) > MaxBytes {
		return nil, &Error{Code: CodeLimit, Message: fmt.Sprintf("the file is larger than %d MB", MaxBytes>>20)}
	}
	encoding, mark, err := sniffEncoding(data)
	if err != nil {
		return nil, err
	}
	f := &File{Encoding: encoding, data: data[mark:]}
	f.Delimiter = f.sniffDelimiter()
	header, err := f.scan().header()
	if err != nil {
		return nil, err
	}
	f.Header = make([]string, len(header.Cells))
	for i, cell := range header.Cells {
		f.Header[i] = Line(cell)
	}
	return f, nil
}

// Rows yields the rows below the header. Blank ones between others are rows too, so
// that no line is lost; those at the end are not. It ends with an *Error if the file
// has no row or cannot be read further.
func (f *File) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		s := f.scan()
		if _, err := s.header(); err != nil {
			yield(Row{}, err)
			return
		}
		count := 0
		give := func(row Row) bool {
			if count++; count > MaxRows {
				yield(Row{}, &Error{Code: CodeLimit, Line: row.Line, Message: fmt.Sprintf("the file has more than %d rows", MaxRows)})
				return false
			}
			return yield(row, nil)
		}
		var blank []int // lines that are rows only if one with cells follows
		for {
			row, err := s.row()
			switch {
			case errors.Is(err, io.EOF):
				if count == 0 {
					yield(Row{}, &Error{Code: CodeNoRows, Message: "the file has a header and no rows below it"})
				}
				return
			case err != nil:
				yield(Row{}, err)
				return
			case len(row.Cells) == 0:
				if len(blank) <= MaxRows {
					blank = append(blank, row.Line)
				}
				continue
			}
			for _, line := range blank {
				if !give(Row{Line: line}) {
					return
				}
			}
			blank = blank[:0]
			if !give(row) {
				return
			}
		}
	}
}

// scan begins at the first line of the table.
func (f *File) scan() *scanner {
	s := newScanner(f.text(), f.Delimiter)
	s.replaced = f.Encoding != UTF8
	if _, line := separatorLine(f.text()); line != "" {
		_, _ = s.in.Discard(len(line))
		s.line++
	}
	return s
}

// header is the first line that is not blank.
func (s *scanner) header() (Row, error) {
	for {
		row, err := s.row()
		if errors.Is(err, io.EOF) {
			return row, &Error{Code: CodeEmpty, Message: "the file is empty"}
		}
		if err != nil || len(row.Cells) > 0 {
			return row, err
		}
	}
}

// Text is a cell as somebody meant it: plain spaces instead of those that only
// typesetters tell apart, line feeds for line breaks, nothing invisible and nothing
// around it.
func Text(cell string) string {
	return strings.TrimSpace(invisible.Replace(cell))
}

// Line is Text on one line.
func Line(cell string) string {
	return strings.Join(strings.Fields(invisible.Replace(cell)), " ")
}

// invisible leaves joiners alone: emoji and several scripts are spelt with them.
var invisible = strings.NewReplacer(
	"\r\n", "\n", "\r", "\n", "\u00a0", " ", "\u2007", " ", "\u202f", " ", "\u3000", " ",
	"\ufeff", "", "\u200b", "", "\u00ad", "",
)
