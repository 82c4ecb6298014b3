package imagemeta

import (
	"encoding/binary"
	"slices"
	"strings"
)

// What bounds a HEIC file. A phone's has a dozen boxes, some hundred items (the
// tiles of one picture) and a few kilobytes about them.
const (
	maxTopBoxes  = 100
	maxBrands    = 32
	maxMetaBytes = 1 << 20
	maxItems     = 2_000
	maxExtents   = 4_000
)

// heifBrands are the brands that a cleaned file keeps. Others may name the device.
var heifBrands = []string{"mif1", "mif2", "miaf", "MiHB", "MiHA", "MiHE", "MiPr", "heic", "heix", "heim", "heis"}

// sniffHEIF returns the media type of the file with this ftyp box, of which a
// beginning suffices: HEIC promises HEVC, HEIF alone any coding.
func sniffHEIF(ftyp []byte) (string, error) {
	if len(ftyp) < 16 {
		return "", ErrUnknownType
	}
	major, brands := string(ftyp[8:12]), []string{string(ftyp[8:12])}
	ftyp = ftyp[:min(uint64(len(ftyp)), uint64(binary.BigEndian.Uint32(ftyp)))]
	for at := 16; at+4 <= len(ftyp); at += 4 {
		brands = append(brands, string(ftyp[at:at+4]))
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(brands, name) })
	}
	switch major {
	case "heic", "heix", "heim", "heis":
		return HEIC, nil
	case "hevc", "hevx", "msf1": // sequences
		return HEIC, nil
	case "mif1":
		if has("heic", "heix", "heim", "heis") {
			return HEIC, nil
		}
		if !has("avif", "avis") {
			return HEIF, nil
		}
	}
	return "", ErrUnknownType
}

// cleanHEIF keeps the boxes that make the picture where they are, because they
// refer to each other by their places in the file. Inside them it keeps what the
// picture consists of; everything else becomes zeros.
func (p *parts) cleanHEIF() error {
	boxes, err := p.topBoxes()
	if err != nil {
		return err
	}
	var media []span
	var meta *topBox
	last := 0
	for i, b := range boxes {
		if (i == 0) != (b.kind == "ftyp") {
			return damaged("its type is not said once at the beginning")
		}
		switch b.kind {
		case "moov", "moof":
			return ErrAnimated
		case "mdat":
			media, last = append(media, b.body()), i
		case "meta":
			if meta != nil || b.body().size > maxMetaBytes {
				return damaged("more than one description of it, or a long one")
			}
			meta, last = &boxes[i], i
		}
	}
	if meta == nil {
		return damaged("no picture in it")
	}
	body, err := p.at(meta.body().from, int(meta.body().size))
	if err != nil {
		return err
	}
	h, err := readHEIF(p, body, media)
	if err != nil {
		return err
	}
	rebuilt, err := h.rebuild(len(body))
	if err != nil {
		return err
	}
	for _, b := range boxes[:last+1] { // nothing refers to what follows
		switch b.kind {
		case "ftyp":
			err = p.putBrands(b)
		case "meta":
			p.keep(b.from, b.head)
			p.put(rebuilt)
		case "mdat":
			p.keep(b.from, b.head)
			p.keepOnly(b.body(), h.inFile)
		default:
			err = p.putFree(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putBrands puts a file type box whose brands are known ones.
func (p *parts) putBrands(b topBox) error {
	if b.head != 8 || b.size < 16 || b.size%4 != 0 || b.size > 16+4*maxBrands {
		return damaged("a file type of %d bytes", b.size)
	}
	data, err := p.at(b.from, int(b.size))
	if err != nil {
		return err
	}
	if slices.Contains([]string{"hevc", "hevx", "msf1"}, string(data[8:12])) {
		return ErrAnimated
	}
	clear(data[12:16]) // its version
	for at := 16; at < len(data); at += 4 {
		if !slices.Contains(heifBrands, string(data[at:at+4])) {
			copy(data[at:], "mif1")
		}
	}
	p.put(data)
	return nil
}

// putFree puts an empty box in the place of b.
func (p *parts) putFree(b topBox) error {
	head, err := p.at(b.from, int(b.head))
	if err != nil {
		return err
	}
	copy(head[4:], "free")
	p.put(head)
	p.zeros(b.body().size)
	return nil
}

// keepOnly keeps of a stretch what is in kept, which is merged, and zeros between.
func (p *parts) keepOnly(all span, kept []span) {
	at := all.from
	for _, s := range kept {
		if s.from < all.from || s.from >= all.end() {
			continue
		}
		p.zeros(s.from - at)
		p.keep(s.from, s.size)
		at = s.end()
	}
	p.zeros(all.end() - at)
}

// What of an item's coded picture its decoder needs to begin with (ITU-T H.265
// table 7-1). What is left out are comments on it (SEI), of any content.
const firstParameterSet, lastParameterSet = 32, 34

// cleanDecoderConfiguration returns an hvcC box's body with nothing but parameter
// sets (ISO/IEC 14496-15 section 8.3.2.1).
func cleanDecoderConfiguration(body []byte) ([]byte, error) {
	f := &fields{b: body}
	out := slices.Clone(f.take(22))
	arrays := f.uint(1)
	kept, n := []byte(nil), byte(0)
	for range arrays {
		before := f.b
		kind := f.uint(1) & 0x3f
		for range f.uint(2) {
			f.take(int(f.uint(2))) //nolint:gosec // two bytes
			if f.err != nil {
				return nil, f.err
			}
		}
		if firstParameterSet <= kind && kind <= lastParameterSet {
			kept = append(kept, before[:len(before)-len(f.b)]...)
			n++
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	return slices.Concat(out, []byte{n}, kept), nil
}

// isAlpha says whether an auxC box's body announces a picture's transparency, and
// returns it without what follows.
func isAlpha(body []byte) ([]byte, bool) {
	if len(body) < 4 {
		return nil, false
	}
	name, _, ended := strings.Cut(string(body[4:]), "\x00")
	if !ended || name != "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha" && name != "urn:mpeg:hevc:2015:auxid:1" {
		return nil, false
	}
	return slices.Concat(make([]byte, 4), []byte(name), []byte{0}), true
}
