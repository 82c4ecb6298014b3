package imagemeta

import (
	"encoding/binary"
	"fmt"
	"io"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// pngChunks are those that make the picture and its colours. The others hold text,
// times and EXIF, and the pictures of an animation after the first.
var pngChunks = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "cHRM": true, "gAMA": true,
	"iCCP": true, "sBIT": true, "sRGB": true, "cICP": true, "bKGD": true, "pHYs": true,
}

// cleanPNG keeps pngChunks, up to the end.
func (p *parts) cleanPNG() error {
	p.keep(0, int64(len(pngSignature)))
	hasPicture := false
	at := int64(len(pngSignature))
	for n := range maxChunks {
		head, err := p.at(at, 8)
		if err != nil {
			return err
		}
		name, size := string(head[4:]), int64(binary.BigEndian.Uint32(head))
		if at+12+size > p.size {
			return io.ErrUnexpectedEOF
		}
		if (n == 0) != (name == "IHDR") {
			return fmt.Errorf("%w: its header is not at the beginning", ErrDamaged)
		}
		switch name {
		case "IHDR":
			dimensions, err := p.at(at+8, 8)
			if err != nil {
				return err
			}
			if err := checkPixels(binary.BigEndian.Uint32(dimensions), binary.BigEndian.Uint32(dimensions[4:])); err != nil {
				return err
			}
		case "IDAT":
			hasPicture = true
		}
		if pngChunks[name] {
			p.keep(at, 12+size)
		}
		at += 12 + size
		if name == "IEND" {
			if !hasPicture {
				return fmt.Errorf("%w: no picture in it", ErrDamaged)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: more than %d chunks", ErrDamaged, maxChunks)
}

// Flags of WebP's VP8X chunk that announce what we leave out.
const webpHasEXIF, webpHasXMP, webpAnimated = 0x08, 0x04, 0x02

// cleanWebP keeps the picture, its transparency and its colour profile.
func (p *parts) cleanWebP() error {
	head, err := p.at(0, 12)
	if err != nil {
		return err
	}
	end := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
	if end > p.size {
		return io.ErrUnexpectedEOF
	}
	p.put(head)
	hasPicture := false
	at, n := int64(12), 0
	for ; at < end; n++ {
		if n == maxChunks {
			return fmt.Errorf("%w: more than %d chunks", ErrDamaged, maxChunks)
		}
		chunk, err := p.at(at, 8)
		if err != nil {
			return err
		}
		size := int64(binary.LittleEndian.Uint32(chunk[4:]))
		size += size % 2 // filled up to an even length
		if at+8+size > end {
			return io.ErrUnexpectedEOF
		}
		switch name := string(chunk[:4]); name {
		case "VP8X":
			if err := p.keepVP8X(at, size); err != nil {
				return err
			}
		case "VP8 ", "VP8L":
			if err := p.checkWebPPixels(name, at+8, size); err != nil {
				return err
			}
			hasPicture = true
			p.keep(at, 8+size)
		case "ALPH", "ICCP":
			p.keep(at, 8+size)
		case "ANIM", "ANMF":
			return ErrAnimated
		}
		at += 8 + size
	}
	if !hasPicture {
		return fmt.Errorf("%w: no picture in it", ErrDamaged)
	}
	var size int64
	for _, one := range p.list {
		size += one.size
	}
	binary.LittleEndian.PutUint32(head[4:], uint32(size-8)) //nolint:gosec // no larger than it was
	return nil
}

// keepVP8X keeps the header of an extended file, without the flags of what goes.
func (p *parts) keepVP8X(at, size int64) error {
	if size != 10 {
		return fmt.Errorf("%w: a header of %d bytes", ErrDamaged, size)
	}
	data, err := p.at(at, 18)
	if err != nil {
		return err
	}
	if data[8]&webpAnimated != 0 {
		return ErrAnimated
	}
	data[8] &^= webpHasEXIF | webpHasXMP
	p.put(data)
	return checkPixels(1+uint24(data[12:]), 1+uint24(data[15:]))
}

// checkWebPPixels reads the picture's own dimensions (RFC 6386 section 9.1, RFC
// 9649 section 3.4).
func (p *parts) checkWebPPixels(name string, at, size int64) error {
	header := map[string]int{"VP8 ": 10, "VP8L": 5}[name]
	if size < int64(header) {
		return fmt.Errorf("%w: a picture of %d bytes", ErrDamaged, size)
	}
	data, err := p.at(at, header)
	if err != nil {
		return err
	}
	if name == "VP8 " {
		if data[0]&1 != 0 || string(data[3:6]) != "\x9d\x01\x2a" {
			return fmt.Errorf("%w: not a picture", ErrDamaged)
		}
		return checkPixels(uint32(binary.LittleEndian.Uint16(data[6:])&0x3fff), uint32(binary.LittleEndian.Uint16(data[8:])&0x3fff))
	}
	if data[0] != 0x2f {
		return fmt.Errorf("%w: not a picture", ErrDamaged)
	}
	bits := binary.LittleEndian.Uint32(data[1:])
	return checkPixels(1+bits&0x3fff, 1+bits>>14&0x3fff)
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }
