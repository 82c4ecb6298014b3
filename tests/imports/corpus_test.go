// Package imports reads a corpus of spreadsheets as people save them.
package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/imports"
)

var update = flag.Bool("update", false, "write what is read as what is expected")

// reading is what a file is expected to be.
type reading struct {
	Encoding  csvfile.Encoding `json:"encoding,omitempty"`
	Delimiter string           `json:"delimiter,omitempty"`
	Header    []string         `json:"header,omitempty"`
	Mapping   csvfile.Mapping  `json:"mapping,omitempty"`
	Suggested []string         `json:"suggested,omitempty"`
	Rows      []row            `json:"rows,omitempty"`
	Refused   *csvfile.Error   `json:"refused,omitempty"` // where reading ended
}

type row struct {
	Line    int               `json:"line"`
	Cells   []string          `json:"cells"`
	Fields  map[string]string `json:"fields,omitempty"` // what they mean
	Problem *imports.Problem  `json:"problem,omitempty"`
}

// Each file of the corpus is read as the JSON beside it says, row by row. A file's
// name begins with its kind.
func TestCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("corpus/*.csv")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 40)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".csv"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			kind, _, _ := strings.Cut(filepath.Base(file), "-")
			got, err := json.MarshalIndent(read(t, data, imports.Kind(kind)), "", "\t")
			require.NoError(t, err)
			golden := strings.TrimSuffix(file, ".csv") + ".json"
			if *update {
				require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got)+"\n")
		})
	}
}

func read(t *testing.T, data []byte, kind imports.Kind) (r reading) {
	f, err := csvfile.Read(bytes.NewReader(data))
	if err != nil {
		require.True(t, errors.As(err, &r.Refused))
		return r
	}
	r.Encoding, r.Delimiter, r.Header = f.Encoding, string(f.Delimiter), f.Header
	r.Mapping = csvfile.Match(f.Header, kind.Fields())
	if s := r.Mapping.Suggest(f.Header, kind.Fields()); strings.Join(s, "") != "" {
		r.Suggested = s
	}
	for line, err := range f.Rows() {
		if err != nil {
			require.True(t, errors.As(err, &r.Refused))
			return r
		}
		meaning := kind.Read(r.Mapping, line.Cells)
		r.Rows = append(r.Rows, row{
			Line: line.Line, Cells: append([]string{}, line.Cells...), Fields: meaning.Fields, Problem: meaning.Problem,
		})
	}
	return r
}
