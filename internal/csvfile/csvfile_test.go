package csvfile

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// table reads a file to its end or its first error.
func table(data string) (rows []Row, err error) {
	f, err := Parse([]byte(data))
	if err != nil {
		return nil, err
	}
	for row, err := range f.Rows() {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// One file each in tests/imports/corpus says how a table is read; these are too large
// to be kept there.
func TestLimits(t *testing.T) {
	t.Parallel()
	row := "Ada,Byron\n"
	for name, test := range map[string]struct {
		data, refusal string
	}{
		"as many rows as may be": {"a,b\n" + strings.Repeat(row, MaxRows), ""},
		"one more":               {"a,b\n" + strings.Repeat(row, MaxRows+1), "line 10002: the file has more than 10000 rows"},
		"blank rows count":       {"a,b\n" + row + strings.Repeat("\n", MaxRows-1) + row, "line 10002: the file has more than 10000 rows"},
		"blank rows at the end do not": {
			"a,b\n" + row + strings.Repeat(",\n", 3*MaxRows), "",
		},
		"a cell as long as may be": {"a,b\nx," + strings.Repeat("é", MaxCell), ""},
		"one character more": {
			"a,b\nx," + strings.Repeat("é", MaxCell+1),
			"line 2, column 2: the cell is longer than 10000 characters; perhaps a quote is not closed",
		},
		"a row of 9 MB in one cell": {
			"a,b\n" + strings.Repeat("x", 9<<20),
			"line 2, column 1: the cell is longer than 10000 characters; perhaps a quote is not closed",
		},
		"a row of 9 MB in many cells": {
			"a,b\n" + strings.Repeat("x,", 9<<19), "line 2, column 65: the row has more than 64 columns",
		},
		"a header of 9 MB": {
			strings.Repeat("x,", 9<<19), "line 1, column 65: the row has more than 64 columns",
		},
		"9 MB of delimiters are empty columns": {"a,b\nx" + strings.Repeat(",", 9<<20), ""},
		"a quote closed nowhere in 9 MB": {
			"a,b\n\"x," + strings.Repeat("y\n", 9<<19),
			"line 5001, column 1: the cell is longer than 10000 characters; perhaps a quote is not closed",
		},
		"10 MB":            {"a,b\nx," + strings.Repeat(" \n", MaxBytes/2-4) + " ", ""},
		"10 MB and a byte": {strings.Repeat("\n", MaxBytes+1), "the file is larger than 10 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := table(test.data)
			if test.refusal == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.refusal)
			var refused *Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, CodeLimit, refused.Code)
		})
	}
}

func TestReadStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	endless := &counter{}
	_, err := Read(endless)
	require.ErrorContains(t, err, "larger than 10 MB")
	require.LessOrEqual(t, endless.read, 2*MaxBytes)

	cut := errors.New("the line went dead")
	_, err = Read(&counter{err: cut})
	require.ErrorIs(t, err, cut)
}

// counter is a body without an end, or one that fails.
type counter struct {
	read int
	err  error
}

func (c *counter) Read(p []byte) (int, error) {
	c.read += len(p)
	return len(p), c.err
}

// Besides the file, reading needs a row's memory, whatever its encoding.
func TestReadingHoldsARow(t *testing.T) {
	rows := strings.Repeat("Zoë;Müller;zoe@example.com;"+strings.Repeat("x", 900)+"\n", 9_900)
	data := []byte("firstName;lastName;email;notes\n" + rows)
	data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("ë"), []byte{0xeb}), []byte("ü"), []byte{0xfc})
	f, err := Parse(data)
	require.NoError(t, err)
	require.Equal(t, Windows1252, f.Encoding)

	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	count, most := 0, uint64(0)
	for row, err := range f.Rows() {
		require.NoError(t, err)
		require.Equal(t, "Müller", row.Cells[1])
		if count++; count%1000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	require.Equal(t, 9_900, count)
	require.Less(t, most, before.HeapAlloc+1<<20)
}

func TestWriter(t *testing.T) {
	t.Parallel()
	cells := []string{
		"=1+1", "+49 30 1234", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "''+1", "'", "'t Hof", "",
		`="0012"`, `a "quoted" word`, "a,b;c", "two\nlines", "two\r\nlines", "an\rold mac", " spaces ", "\u00a0", "🏠 אב",
	}
	var out bytes.Buffer
	w := NewWriter(&out)
	require.NoError(t, w.Write([]string{"n", "cell", "last"}))
	for i, cell := range cells {
		require.NoError(t, w.Write([]string{strconv.Itoa(i), cell, "."}))
	}
	require.NoError(t, w.Flush())
	require.True(t, strings.HasPrefix(out.String(), "\ufeffn,cell,last\n"))

	rows, err := table(out.String())
	require.NoError(t, err)
	require.Len(t, rows, len(cells))
	for i, row := range rows {
		require.Equal(t, []string{strconv.Itoa(i), cells[i], "."}, row.Cells)
	}
}

func TestNeutralised(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"=cmd|' /C calc'!A0", "+1", "-1", "@A1", "\tx", "\rx", "＝1"} {
		require.Equal(t, "'"+cell, neutralise(cell))
	}
	for _, cell := range []string{"", "a=1", "'t Hof", "1-2", " =1"} {
		require.Equal(t, cell, neutralise(cell))
	}
}

func TestSplitName(t *testing.T) {
	t.Parallel()
	for full, want := range map[string][2]string{
		"Ada Byron":                    {"Ada", "Byron"},
		"Byron, Ada":                   {"Ada", "Byron"},
		"Ada Augusta Byron":            {"Ada Augusta", "Byron"},
		"Vincent van Gogh":             {"Vincent", "van Gogh"},
		"Jan van den Berg":             {"Jan", "van den Berg"},
		"Karl-Theodor von und zu Berg": {"Karl-Theodor", "von und zu Berg"},
		"Van Morrison":                 {"Van", "Morrison"},
		"Plato":                        {"", "Plato"},
		"  Zoë\u00a0 Müller ":          {"Zoë", "Müller"},
		"":                             {"", ""},
		"Byron,":                       {"", "Byron"},
	} {
		first, last := SplitName(full)
		require.Equal(t, want, [2]string{first, last}, full)
	}
}

func TestMapping(t *testing.T) {
	t.Parallel()
	fields := []Field{
		{Name: "firstName", Synonyms: []string{"first name", "Vorname", "prénom"}},
		{Name: "email", Synonyms: []string{"e-mail"}},
		{Name: "street", Synonyms: []string{"Straße"}},
	}
	header := []string{"PRENOM", "E_Mail", "Vorname", "", "Strase", "Stück"}
	m := Match(header, fields)
	require.Equal(t, Mapping{"firstName", "email", "", "", "", ""}, m)
	require.Equal(t, []string{"", "", "", "", "street", ""}, m.Suggest(header, fields))
	require.Equal(t, Mapping{"street"}, Match([]string{"STRASSE"}, fields))

	row := Row{Cells: []string{"Ada"}}
	require.Equal(t, "Ada", m.Cell(row, "firstName"))
	require.Empty(t, m.Cell(row, "email"), "a row may be shorter")
	require.Empty(t, m.Cell(row, "street"))

	require.Empty(t, m.Check(6, fields))
	require.Equal(t, "the file has 2 columns", m.Check(2, fields))
	require.Equal(t, "column 2 is mapped to a field that does not exist", Mapping{"email", "owner"}.Check(2, fields))
	require.Equal(t, "columns 1 and 3 are mapped to the same field", Mapping{"email", "", "email"}.Check(3, fields))
}
