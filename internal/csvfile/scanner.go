package csvfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanner cuts UTF-8 into rows. It holds one row, which the limits bound.
type scanner struct {
	in       *bufio.Reader
	comma    rune
	replaced bool // U+FFFD is the decoder's word for what it could not read

	line   int // of the rune that comes next
	column int // of the cell being read, from 1
	fields int // of the row that was read, empty ones at the end included

	cell  []byte
	chars int
}

func newScanner(text io.Reader, comma rune) *scanner {
	return &scanner{in: bufio.NewReader(text), comma: comma, line: 1}
}

// row reads a row, or io.EOF when there is none.
func (s *scanner) row() (Row, error) {
	if _, err := s.in.Peek(1); err != nil {
		return Row{}, err
	}
	row, filled := Row{Line: s.line}, 0
	for s.column = 1; ; s.column++ {
		line := s.line
		end, err := s.readCell()
		if err != nil {
			return Row{}, err
		}
		cell := restore(string(s.cell))
		switch blank := strings.TrimSpace(cell) == ""; {
		case s.column <= MaxColumns:
			row.Cells = append(row.Cells, cell)
			if !blank {
				filled = s.column
			}
		case !blank:
			return Row{}, &Error{Code: CodeLimit, Line: line, Column: s.column, Message: fmt.Sprintf("the row has more than %d columns", MaxColumns)}
		}
		if end {
			row.Cells, s.fields = row.Cells[:filled], s.column
			return row, nil
		}
	}
}

// readCell reads into s.cell up to a delimiter, or the end of the row.
func (s *scanner) readCell() (endOfRow bool, err error) {
	s.cell, s.chars = s.cell[:0], 0
	blank := true // so far; then a quote opens, and is no inch mark
	for {
		r, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		case r == s.comma:
			return false, nil
		case r == '\n' || r == '\r':
			return true, s.endLine(r, false)
		case r == '"' && blank:
			s.cell, s.chars = s.cell[:0], 0
			return s.readQuoted()
		}
		blank = blank && unicode.IsSpace(r)
		if err := s.keep(r); err != nil {
			return false, err
		}
	}
}

// readQuoted reads the rest of a cell after its opening quote.
func (s *scanner) readQuoted() (endOfRow bool, err error) {
	opened := s.line
	for closed := false; ; {
		r, err := s.next()
		switch {
		case errors.Is(err, io.EOF) && closed:
			return true, nil
		case errors.Is(err, io.EOF):
			return false, &Error{Code: CodeQuotes, Line: opened, Column: s.column, Message: "a quote is opened here and never closed"}
		case err != nil:
			return false, err
		case !closed && r == '"':
			if next, _ := s.in.Peek(1); len(next) == 1 && next[0] == '"' {
				_, _ = s.in.Discard(1)
				err = s.keep('"')
			} else {
				closed = true
			}
		case !closed:
			if err = s.keep(r); err == nil && (r == '\n' || r == '\r') {
				err = s.endLine(r, true)
			}
		case r == s.comma:
			return false, nil
		case r == '\n' || r == '\r':
			return true, s.endLine(r, false)
		case !unicode.IsSpace(r):
			return false, s.failed(CodeQuotes, "there is text after a closing quote; a quote inside quotes is written twice")
		}
		if err != nil {
			return false, err
		}
	}
}

// next reads a rune, and refuses what no spreadsheet writes.
func (s *scanner) next() (rune, error) {
	r, size, err := s.in.ReadRune()
	switch {
	case err != nil:
		return 0, err
	case r == 0:
		return 0, s.failed(CodeNotCSV, "there is a zero byte; this is no text, or it is damaged")
	case r == utf8.RuneError && (s.replaced || size == 1), s.replaced && r >= 0x80 && r < 0xa0:
		return 0, s.failed(CodeEncoding, "a character cannot be read; %s", saveAgain)
	case r == 0x1a: // Ctrl-Z: how DOS ended a text
		if _, err := s.in.Peek(1); errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
	}
	return r, nil
}

// endLine counts a line break that begins with r, and reads the LF of a CRLF. Inside
// quotes it is kept.
func (s *scanner) endLine(r rune, quoted bool) error {
	s.line++
	if r == '\n' {
		return nil
	}
	if next, _ := s.in.Peek(1); len(next) == 1 && next[0] == '\n' {
		_, _ = s.in.Discard(1)
		if quoted {
			return s.keep('\n')
		}
	}
	return nil
}

// keep adds r to the cell.
func (s *scanner) keep(r rune) error {
	if s.chars++; s.chars > MaxCell {
		return s.failed(CodeLimit, "the cell is longer than %d characters; perhaps a quote is not closed", MaxCell)
	}
	s.cell = utf8.AppendRune(s.cell, r)
	return nil
}

func (s *scanner) failed(code, format string, args ...any) error {
	return &Error{Code: code, Line: s.line, Column: s.column, Message: fmt.Sprintf(format, args...)}
}

// delimiters are those that are recognised. When a file is as regular by two of them
// it is the first, because commas are in prose and in numbers too.
var delimiters = []rune{'\t', ';', ','}

// A delimiter is judged by so many rows at the beginning, and by no more bytes.
const (
	sniffRows  = 25
	sniffBytes = 64 << 10
)

// sniffDelimiter takes the delimiter that Excel names in a line of its own, or else
// the one that cuts most rows into as many columns as the header.
func (f *File) sniffDelimiter() rune {
	if delimiter, line := separatorLine(f.text()); line != "" {
		return delimiter
	}
	best, bestRegular, bestWidth := ',', 0.0, 0
	for _, delimiter := range delimiters {
		s := newScanner(io.LimitReader(f.text(), sniffBytes), delimiter)
		header, err := s.header()
		width := s.fields
		if err != nil || len(header.Cells) < 2 {
			continue
		}
		rows, same := 1, 1
		for ; rows < sniffRows; rows++ {
			if _, err := s.row(); err != nil {
				break // the end, or where the part that is looked at was cut
			}
			if s.fields == width {
				same++
			}
		}
		regular := float64(same) / float64(rows)
		if regular > bestRegular || regular == bestRegular && width > bestWidth {
			best, bestRegular, bestWidth = delimiter, regular, width
		}
	}
	return best
}

var separator = regexp.MustCompile(`(?i)^"?sep=([,;\t|])"?(?:\r\n|\r|\n)`)

// separatorLine returns Excel's first line "sep=;", if text begins with one.
func separatorLine(text io.Reader) (delimiter rune, line string) {
	head, _ := io.ReadAll(io.LimitReader(text, 16))
	m := separator.FindSubmatch(head)
	if m == nil {
		return 0, ""
	}
	return rune(m[1][0]), string(m[0])
}
