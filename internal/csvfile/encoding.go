package csvfile

import (
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// Encoding is how a file's bytes are characters.
type Encoding string

// The encodings that are recognised.
const (
	UTF8        Encoding = "UTF-8"
	UTF16LE     Encoding = "UTF-16LE"
	UTF16BE     Encoding = "UTF-16BE"
	Windows1252 Encoding = "Windows-1252"
)

const saveAgain = `save it as "CSV UTF-8" and send it again`

// formats are what is most often sent by mistake, by its first bytes.
var formats = []struct{ magic, name string }{
	{"PK\x03\x04", "a workbook (.xlsx or .ods) or a zip file"},
	{"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"},
	{"%PDF-", "a PDF"},
	{"{\\rtf", "a text document (.rtf)"},
	{"\x89PNG", "a picture"},
	{"\xff\xd8\xff", "a picture"},
	{"GIF8", "a picture"},
	{"\x1f\x8b", "a compressed file"},
}

// sniffEncoding tells the encoding and how long the byte order mark is.
func sniffEncoding(data []byte) (encoding Encoding, mark int, err error) {
	for _, format := range formats {
		if bytes.HasPrefix(data, []byte(format.magic)) {
			return "", 0, &Error{Code: CodeNotCSV, Message: "this is " + format.name + "; save the sheet as CSV and send that"}
		}
	}
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")):
		return "", 0, &Error{Code: CodeEncoding, Message: "the file is UTF-32; " + saveAgain}
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		encoding, mark = UTF16LE, 2
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		encoding, mark = UTF16BE, 2
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return UTF8, 3, wholeUTF8(data)
	default:
		if encoding = unmarkedUTF16(data); encoding == "" {
			return eightBit(data)
		}
	}
	if len(data)%2 != 0 {
		return "", 0, &Error{Code: CodeEncoding, Message: "the file is cut short in the middle of a character"}
	}
	return encoding, mark, nil
}

// unmarkedUTF16 recognises text without a byte order mark by the zeros that half of
// its bytes are in Latin script, and always the same half.
func unmarkedUTF16(data []byte) Encoding {
	head := data[:min(len(data), 1024)]
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	most := len(head) / 5
	switch {
	case zeros[1] > most && zeros[0] == 0:
		return UTF16LE
	case zeros[0] > most && zeros[1] == 0:
		return UTF16BE
	}
	return ""
}

// eightBit tells UTF-8 from Windows-1252, which any bytes can be. Characters of
// UTF-8 next to bytes that are none mean that two files were put together: to read
// them as either would spoil names.
func eightBit(data []byte) (Encoding, int, error) {
	if utf8.Valid(data) {
		return UTF8, 0, nil
	}
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if size > 1 && r != utf8.RuneError {
			return "", 0, wholeUTF8(data)
		}
		rest = rest[size:]
	}
	return Windows1252, 0, nil
}

// wholeUTF8 blames the first byte that is not UTF-8, if there is one.
func wholeUTF8(data []byte) error {
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return &Error{Code: CodeEncoding, Line: lineOf(data[:at]), Message: "the file mixes UTF-8 with another encoding; " + saveAgain}
		}
		at += size
	}
	return nil
}

// lineOf counts lines however they end.
func lineOf(before []byte) int {
	return 1 + bytes.Count(before, []byte("\n")) + bytes.Count(before, []byte("\r")) - bytes.Count(before, []byte("\r\n"))
}

// text is the file as UTF-8.
func (f *File) text() io.Reader {
	r := bytes.NewReader(f.data)
	switch f.Encoding {
	case UTF16LE:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Reader(r)
	case UTF16BE:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Reader(r)
	case Windows1252:
		return charmap.Windows1252.NewDecoder().Reader(r)
	}
	return r
}
