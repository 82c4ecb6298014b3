package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file of testdata has one step of a script a line. Objects of some size, such as
// users, come again and again: each stands once before the steps, under a number.
const folded = 4 // keys, from which on an object is put there

type file struct {
	objects []any
	numbers map[string]int
}

// fold is value with its larger objects put aside.
func (f *file) fold(value any) any {
	switch v := value.(type) {
	case map[string]any:
		object := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			object[key] = f.fold(v[key])
		}
		if len(object) < folded {
			return object
		}
		text := encode(object)
		if _, ok := f.numbers[text]; !ok {
			f.objects = append(f.objects, object)
			f.numbers[text] = len(f.objects)
		}
		return fmt.Sprintf("#%d", f.numbers[text])
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = f.fold(item)
		}
		return list
	}
	return value
}

// unfold is the opposite.
func (f *file) unfold(value any) any {
	switch v := value.(type) {
	case map[string]any:
		object := map[string]any{}
		for key, item := range v {
			object[key] = f.unfold(item)
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = f.unfold(item)
		}
		return list
	case string:
		if digits, ok := strings.CutPrefix(v, "#"); ok {
			if n, err := strconv.Atoi(digits); err == nil && n >= 1 && n <= len(f.objects) {
				return f.unfold(f.objects[n-1])
			}
		}
	}
	return value
}

func encode(value any) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // it was JSON
	}
	return strings.TrimSpace(out.String())
}

func writeFile(t testing.TB, path string, steps []step) {
	t.Helper()
	f := file{numbers: map[string]int{}}
	lines := make([]string, len(steps))
	for i, one := range steps {
		one.Body, one.Answer = f.fold(one.Body), f.fold(one.Answer)
		one.Hooks = slices.Clone(one.Hooks)
		for j := range one.Hooks {
			one.Hooks[j].Body = f.fold(one.Hooks[j].Body)
		}
		lines[i] = encode(one)
	}
	var out bytes.Buffer
	for _, object := range f.objects {
		fmt.Fprintln(&out, encode(object))
	}
	fmt.Fprintf(&out, "\n%s\n", strings.Join(lines, "\n"))
	require.NoError(t, os.WriteFile(path, out.Bytes(), 0o600))
}

func readFile(t testing.TB, path string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	objects, rest, found := strings.Cut(string(text), "\n\n")
	require.True(t, found, path)
	var f file
	for line := range strings.Lines(objects) {
		f.objects = append(f.objects, decode[any](t, line))
	}
	for line := range strings.Lines(rest) {
		one := decode[step](t, line)
		one.Body, one.Answer = f.unfold(one.Body), f.unfold(one.Answer)
		for j := range one.Hooks {
			one.Hooks[j].Body = f.unfold(one.Hooks[j].Body)
		}
		steps = append(steps, one)
	}
	return steps
}

func decode[T any](t testing.TB, text string) (value T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&value), text)
	return value
}

// differences are those of two runs of a script, a line each.
func differences(want, got []step) (lines []string) {
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) {
			return append(lines, fmt.Sprintf("%d steps, not %d", len(got), len(want)))
		}
		is, should := leaves(got[i]), leaves(want[i])
		before := len(lines)
		for _, leaf := range should {
			if !slices.Contains(is, leaf) {
				lines = append(lines, "    - "+leaf)
			}
		}
		for _, leaf := range is {
			if !slices.Contains(should, leaf) {
				lines = append(lines, "    + "+leaf)
			}
		}
		if len(lines) > before {
			title := fmt.Sprintf("%d. %s %s", i+1, want[i].Request, strings.Join(want[i].Header, " "))
			for j := i; j >= 0; j-- {
				if want[j].Part != "" {
					title += " (" + want[j].Part + ")"
					break
				}
			}
			lines = slices.Insert(lines, before, title)
		}
	}
	return lines
}

// leaves are the values of a step, each with its path.
func leaves(s step) (lines []string) {
	var value any
	_ = json.Unmarshal([]byte(encode(s)), &value) // just encoded
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			if len(v) == 0 {
				lines = append(lines, path+": {}")
			}
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(path+"."+key, v[key])
			}
		case []any:
			if len(v) == 0 {
				lines = append(lines, path+": []")
			}
			for i, item := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), item)
			}
		default:
			lines = append(lines, path+": "+encode(v))
		}
	}
	walk("", value)
	return lines
}
