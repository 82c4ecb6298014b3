package imagemeta

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// JPEG's markers (ITU-T T.81, table B.1), each behind a byte 0xFF.
const (
	markerSOF0, markerSOF15             = 0xC0, 0xCF // but for the next three
	markerDHT, markerJPG, markerDAC     = 0xC4, 0xC8, 0xCC
	markerRST0, markerRST7              = 0xD0, 0xD7
	markerEOI, markerSOS                = 0xD9, 0xDA
	markerDQT, markerDRI                = 0xDB, 0xDD
	markerAPP0, markerAPP1, markerAPP2  = 0xE0, 0xE1, 0xE2
	markerAPP14, markerAPP15, markerCOM = 0xEE, 0xEF, 0xFE
	plainJFIFSize                       = 14 // without a thumbnail
)

// bytewise reads the source from its beginning and knows where it is.
type bytewise struct {
	*bufio.Reader
	at int64
}

func (b *bytewise) next() (byte, error) {
	c, err := b.ReadByte()
	b.at++
	return c, err
}

func (b *bytewise) read(n int) ([]byte, error) {
	data := make([]byte, n)
	_, err := io.ReadFull(b, data)
	b.at += int64(n)
	return data, err
}

// cleanJPEG keeps the segments that make the picture, up to its end. What phones
// put behind it (videos, further pictures with EXIF of their own) goes.
func (p *parts) cleanJPEG() error {
	in := &bytewise{Reader: bufio.NewReaderSize(io.NewSectionReader(p.source, 0, p.size), 32<<10)}
	if _, err := in.read(2); err != nil { // the start, which Sniff has seen
		return err
	}
	p.keep(0, 2)
	var hasSize, hasScan, hasOrientation bool
	marker, err := in.marker()
	for {
		if err != nil {
			return err
		}
		if marker == markerEOI {
			break
		}
		start := in.at - 2
		length, err := in.read(2)
		if err != nil {
			return err
		}
		body, err := in.read(max(0, int(binary.BigEndian.Uint16(length))-2))
		if err != nil {
			return err
		}
		keep := false
		switch {
		case marker == markerDHT, marker == markerDAC, marker == markerDQT, marker == markerDRI:
			keep = true
		case markerSOF0 <= marker && marker <= markerSOF15 && marker != markerJPG:
			keep, hasSize = true, true
			if len(body) < 6 {
				return fmt.Errorf("%w: a frame header of %d bytes", ErrDamaged, len(body))
			}
			if err := checkPixels(uint32(binary.BigEndian.Uint16(body[3:])), uint32(binary.BigEndian.Uint16(body[1:]))); err != nil {
				return err
			}
		case marker == markerSOS && hasSize:
			keep, hasScan = true, true
		case marker == markerAPP0: // density, maybe a thumbnail
			keep = len(body) == plainJFIFSize && bytes.HasPrefix(body, []byte("JFIF\x00"))
		case marker == markerAPP1:
			if o := orientation(body); o > 1 && !hasOrientation {
				p.put(orientationSegment(o))
				hasOrientation = true
			}
		case marker == markerAPP2: // the colours' meaning; other uses point to further pictures
			keep = bytes.HasPrefix(body, []byte("ICC_PROFILE\x00"))
		case marker == markerAPP14: // without it CMYK pictures show wrong colours
			keep = bytes.HasPrefix(body, []byte("Adobe")) && len(body) == 12
		case markerAPP0 < marker && marker <= markerAPP15, marker == markerCOM:
		default:
			return fmt.Errorf("%w: marker %#x", ErrDamaged, marker)
		}
		if keep {
			p.keep(start, in.at-start)
		}
		if marker == markerSOS {
			from := in.at
			if marker, err = in.scan(); err == nil {
				p.keep(from, in.at-2-from)
			}
			if err != nil {
				return err
			}
			continue
		}
		if marker, err = in.marker(); err != nil {
			return err
		}
	}
	if !hasScan {
		return fmt.Errorf("%w: no picture in it", ErrDamaged)
	}
	p.put([]byte{0xFF, markerEOI})
	return nil
}

// marker reads the next marker, which must be here.
func (b *bytewise) marker() (byte, error) {
	c, err := b.next()
	if err == nil && c != 0xFF {
		err = fmt.Errorf("%w: no marker at byte %d", ErrDamaged, b.at-1)
	}
	for err == nil && c == 0xFF { // any number of them may stand before it
		c, err = b.next()
	}
	return c, err
}

// scan reads a scan's data up to the next marker, and returns that.
func (b *bytewise) scan() (byte, error) {
	for {
		c, err := b.next()
		if err != nil {
			return 0, err
		}
		if c != 0xFF {
			continue
		}
		for err == nil && c == 0xFF {
			c, err = b.next()
		}
		if err != nil {
			return 0, err
		}
		if c != 0 && (c < markerRST0 || c > markerRST7) {
			return c, nil
		}
	}
}

const (
	exifHeader     = "Exif\x00\x00"
	orientationTag = 0x0112
)

// orientation finds how to turn the picture, from 1 to 8, in the first directory
// of an EXIF segment (TIFF 6.0, section 2); 0 if it does not say.
func orientation(body []byte) byte {
	tiff, ok := bytes.CutPrefix(body, []byte(exifHeader))
	if !ok || len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	offset := int(order.Uint32(tiff[4:]))
	if offset < 8 || offset > len(tiff)-2 {
		return 0
	}
	entries := tiff[offset+2:]
	for range order.Uint16(tiff[offset:]) {
		if len(entries) < 12 {
			return 0
		}
		if order.Uint16(entries) == orientationTag {
			if value := order.Uint16(entries[8:]); 1 <= value && value <= 8 {
				return byte(value)
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}

// orientationSegment is an EXIF segment that says nothing else.
func orientationSegment(value byte) []byte {
	tiff := "MM\x00*\x00\x00\x00\x08" + // the directory follows
		"\x00\x01" + "\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string([]byte{value}) + "\x00\x00" + // one short
		"\x00\x00\x00\x00" // and no further directory
	segment := []byte{0xFF, markerAPP1, 0, byte(2 + len(exifHeader) + len(tiff))} //nolint:gosec // 34
	return append(append(segment, exifHeader...), tiff...)
}
