// Package imagemeta recognises an uploaded file by its bytes and leaves out what
// it says about the people in it: where a photo was taken, when, by whom and with
// which device.
//
// Nothing is decoded or encoded again: the parts that make the picture are copied
// as they are, everything else (EXIF, XMP, IPTC, comments, thumbnails, further
// pictures and whatever follows the end) is left out, and what is left out is
// what this package does not know. Of a JPEG's EXIF its orientation stays, or
// phone photos would lie on their side; animations keep their first picture (PNG)
// or are refused (WebP). PDFs pass unchanged.
//
// HEIC is refused: its metadata lies among the picture's own data, at places that
// a dozen nested tables refer to, and cutting it out without a decoder that
// knows them all would be a guess about somebody's home address.
package imagemeta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxPixels bounds what an image may grow to when somebody decodes it.
const MaxPixels = 50_000_000

// The reasons to refuse a file.
var (
	ErrUnknownType   = errors.New("not a JPEG, PNG, WebP, HEIC or PDF file")
	ErrDamaged       = errors.New("damaged or cut short")
	ErrAnimated      = errors.New("an animation")
	ErrTooManyPixels = fmt.Errorf("more than %d pixels", MaxPixels)
)

// The media types that Clean knows.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
	WebP = "image/webp"
	HEIC = "image/heic"
	HEIF = "image/heif" // HEIC in a file that does not promise to be
	PDF  = "application/pdf"
)

// File is a file without its metadata. Reading it reads the original.
type File struct {
	io.Reader
	MediaType string
	Size      int64
}

// Clean returns the file in r without its metadata. It looks at the headers and
// never holds more than one of them, whatever the file claims to be.
func Clean(r io.ReaderAt, size int64) (*File, error) {
	mediaType, err := Sniff(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	p := &parts{source: r, size: size}
	switch mediaType {
	case JPEG:
		err = p.cleanJPEG()
	case PNG:
		err = p.cleanPNG()
	case WebP:
		err = p.cleanWebP()
	case PDF:
		err = p.checkPDF()
	case HEIC, HEIF:
		err = p.cleanHEIF()
	}
	if err == nil {
		err = p.err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	return p.file(mediaType), nil
}

// Sniff returns the media type of the file that r begins with.
func Sniff(r io.Reader) (string, error) {
	head := make([]byte, 16+4*maxBrands)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("read the beginning: %w", err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return JPEG, nil
	case bytes.HasPrefix(head, []byte(pngSignature)):
		return PNG, nil
	case n >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return WebP, nil
	case bytes.HasPrefix(head, []byte("%PDF-")):
		return PDF, nil
	case n >= 12 && string(head[4:8]) == "ftyp":
		return sniffHEIF(head)
	}
	return "", ErrUnknownType
}

// checkPDF looks for the end, which a PDF has in its last kilobyte.
func (p *parts) checkPDF() error {
	tail := make([]byte, min(p.size, 1024))
	if _, err := p.source.ReadAt(tail, p.size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the end: %w", err)
	}
	if !bytes.Contains(tail, []byte("%%EOF")) {
		return fmt.Errorf("%w: a PDF without an end", ErrDamaged)
	}
	p.keep(0, p.size)
	return nil
}

// checkPixels refuses what would burst who decodes it.
func checkPixels(width, height uint32) error {
	if width == 0 || height == 0 {
		return fmt.Errorf("%w: no picture in it", ErrDamaged)
	}
	if uint64(width)*uint64(height) > MaxPixels {
		return ErrTooManyPixels
	}
	return nil
}

const (
	// maxParts bounds what a file of many tiny parts can make us remember.
	maxParts = 10_000
	// maxChunks bounds how often such a file can make us read.
	maxChunks = 50_000
)

// parts are what stays of a file, in order.
type parts struct {
	source io.ReaderAt
	size   int64
	list   []part
	err    error
}

// part is a stretch of the source, or what stands in its place: bytes or zeros.
type part struct {
	from, size int64
	instead    []byte
	isZero     bool
}

// keep adds a stretch of the source.
func (p *parts) keep(from, size int64) {
	if n := len(p.list); n > 0 {
		if last := &p.list[n-1]; last.instead == nil && !last.isZero && last.from+last.size == from {
			last.size += size
			return
		}
	}
	p.add(part{from: from, size: size})
}

// put adds bytes of our own.
func (p *parts) put(data []byte) { p.add(part{size: int64(len(data)), instead: data}) }

// zeros adds n zeros.
func (p *parts) zeros(n int64) {
	if n > 0 {
		p.add(part{size: n, isZero: true})
	}
}

func (p *parts) add(one part) {
	if len(p.list) == maxParts {
		p.err = fmt.Errorf("%w: more than %d parts", ErrDamaged, maxParts)
		return
	}
	p.list = append(p.list, one)
}

// at reads n bytes of the source, or fails with io.ErrUnexpectedEOF.
func (p *parts) at(offset int64, n int) ([]byte, error) {
	if offset+int64(n) > p.size {
		return nil, io.ErrUnexpectedEOF
	}
	data := make([]byte, n)
	if _, err := p.source.ReadAt(data, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	return data, nil
}

func (p *parts) file(mediaType string) *File {
	f := &File{MediaType: mediaType}
	readers := make([]io.Reader, len(p.list))
	for i, one := range p.list {
		f.Size += one.size
		readers[i] = io.NewSectionReader(p.source, one.from, one.size)
		switch {
		case one.isZero:
			readers[i] = io.LimitReader(zeros{}, one.size)
		case one.instead != nil:
			readers[i] = bytes.NewReader(one.instead)
		}
	}
	f.Reader = io.MultiReader(readers...)
	return f
}

// zeros reads as zeros without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
