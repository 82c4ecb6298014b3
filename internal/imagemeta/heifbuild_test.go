package imagemeta_test

import (
	"encoding/binary"
	"strings"
	"testing"
)

func u16(values ...uint16) (s string) {
	for _, v := range values {
		s += string(binary.BigEndian.AppendUint16(nil, v))
	}
	return s
}

func u32(values ...uint32) (s string) {
	for _, v := range values {
		s += string(binary.BigEndian.AppendUint32(nil, v))
	}
	return s
}

func box(kind string, body ...string) string {
	all := strings.Join(body, "")
	return u32(uint32(8+len(all))) + kind + all
}

// longBox has a size of 64 bits.
func longBox(kind string, body ...string) string {
	all := strings.Join(body, "")
	return u32(1) + kind + u32(0, uint32(16+len(all))) + all
}

func ispe(width, height uint32) string { return box("ispe", u32(0, width, height)) }

// hvcC has one array of parameters and one of remarks.
func hvcC() string {
	set := "\x42\x01" + "parameters"
	return box("hvcC", strings.Repeat("\x01", 22), "\x02", "\x21"+u16(1, uint16(len(set)))+set, "\x27"+u16(1, uint16(len(secret)))+secret)
}

// heicItem is an item of a file under construction.
type heicItem struct {
	id     uint16
	kind   string
	data   string
	inIdat bool
	props  []byte
	says   string // behind the kind: its name and what it is
}

// heicFile is a HEIC file under construction. Item 1 is its picture.
type heicFile struct {
	brands  string
	items   []heicItem
	refs    []string
	props   []string
	inMeta  string // further boxes
	before  string
	after   string
	mdat    func(kind string, body ...string) string
	extents func(item heicItem, from, size uint32) string // nil: one
	wide    bool                                          // long ids
	bare    bool                                          // nothing that is not needed
}

func ref(kind string, from uint16, to ...uint16) string {
	return box(kind, u16(from, uint16(len(to))), u16(to...))
}

// id writes an item's id.
func (f heicFile) id(id uint16) string {
	if f.wide {
		return u32(uint32(id))
	}
	return u16(id)
}

// meta describes items whose data begins at the given place.
func (f heicFile) meta(mediaAt uint32) string {
	var infe, iloc, ipma, idat string
	version, infeVersion := "\x01", "\x02"
	if f.wide {
		version, infeVersion = "\x02", "\x03"
	}
	for _, item := range f.items {
		infe += box("infe", infeVersion+"\x00\x00\x03"+f.id(item.id)+u16(0)+item.kind+item.says)
		method, from := uint16(0), mediaAt
		if item.inIdat {
			method, from = 1, uint32(len(idat))
			idat += item.data
		} else {
			mediaAt += uint32(len(item.data))
		}
		pieces := u16(1) + u32(from, uint32(len(item.data)))
		switch {
		case item.data == "":
			pieces = u16(0)
		case f.extents != nil:
			pieces = f.extents(item, from, uint32(len(item.data)))
		}
		iloc += f.id(item.id) + u16(method, 0) + pieces
		if len(item.props) > 0 {
			ipma += f.id(item.id) + string([]byte{byte(len(item.props))}) + string(item.props)
		}
	}
	n, wide := uint16(len(f.items)), u32(0)
	count := u16(n)
	if f.wide {
		wide, count = "\x01\x00\x00\x00", u32(uint32(n))
	}
	associated := 0
	for _, item := range f.items {
		associated += min(1, len(item.props))
	}
	refs := ""
	if len(f.refs) > 0 {
		refs = box("iref", u32(0), strings.Join(f.refs, ""))
	}
	words, places := secret, box("dinf", box("dref", u32(0, 1), box("url ", u32(1))))
	if f.bare {
		words, places = "", ""
	}
	return box("meta", u32(0),
		box("hdlr", u32(0, 0), "pict", u32(0, 0, 0), words+"\x00"), places,
		box("pitm", wide, f.id(1), words), box("iinf", wide, count, infe), refs,
		box("iprp", box("ipco", f.props...), box("ipma", wide, u32(uint32(associated)), ipma)),
		box("idat", idat), box("iloc", version+"\x00\x00\x00\x44\x00", count, iloc), f.inMeta)
}

// build puts the file together.
func (f heicFile) build() []byte {
	brands, mdat := f.brands, f.mdat
	if brands == "" {
		brands = "heic" + u32(0) + "mif1heic"
	}
	if mdat == nil {
		mdat = box
	}
	ftyp := box("ftyp", brands)
	head := len(mdat("mdat", ""))
	var data string
	for _, item := range f.items {
		if !item.inIdat {
			data += item.data
		}
	}
	at := len(ftyp) + len(f.before) + len(f.meta(0)) + head
	return []byte(ftyp + f.before + f.meta(uint32(at)) + mdat("mdat", data+secret) + f.after)
}

const (
	propSize, propConfig, propTurn, propTile, propWords, propAlpha, propDepth, propColours = 1, 2, 3, 4, 5, 6, 7, 8
	essential                                                                              = 0x80
)

// heicPhoto is a picture of two tiles, as a phone takes it, with all that a phone
// and its owner say about it.
func heicPhoto() heicFile {
	gps := exif(binary.BigEndian, "MM", 6)
	return heicFile{
		items: []heicItem{
			{1, "grid", "\x00\x00\x00\x01" + u16(64, 48), true, []byte{propSize, propTurn | essential, propWords, propColours}, secret + "\x00"},
			{2, "hvc1", "left half", false, []byte{propConfig | essential, propTile}, "\x00"},
			{3, "Exif", u32(6) + gps, false, nil, "\x00"},
			{4, "hvc1", "right half", false, []byte{propConfig | essential, propTile}, "\x00"},
			{5, "mime", "<x:xmpmeta>" + secret, false, nil, "\x00application/rdf+xml\x00"},
			{6, "mime", secret, true, nil, "\x00text/plain\x00"},
			{7, "uri ", secret, true, nil, "\x00urn:" + secret + "\x00"},
			{8, "hvc1", "thumbnail " + secret, false, []byte{propConfig | essential, propSize, 9}, "\x00"},
			{9, "hvc1", "transparency", false, []byte{propConfig | essential, propSize, propAlpha}, "\x00"},
			{10, "hvc1", "depth " + secret, false, []byte{propConfig | essential, propSize, propDepth}, "\x00"},
			{11, "tmap", secret, false, []byte{propSize, propWords | essential}, "\x00"},
		},
		refs: []string{
			ref("dimg", 1, 2, 4), ref("cdsc", 3, 1), ref("cdsc", 5, 1), ref("thmb", 8, 1), ref("auxl", 9, 1), ref("auxl", 10, 1),
			ref("dimg", 11, 1, 10), ref("prem", 1, 9), ref("base", 2, 4),
		},
		props: []string{
			ispe(64, 48), hvcC(), box("irot", "\x01"), ispe(32, 48), box("udes", u32(0), "en\x00"+secret+"\x00"),
			box("auxC", u32(0), "urn:mpeg:hevc:2015:auxid:1\x00"+secret), box("auxC", u32(0), "urn:mpeg:hevc:2015:auxid:2\x00"+secret),
			box("colr", "prof", "a profile"), box("colr", "prof", secret),
		},
		inMeta: box("grpl", box("altr", u32(0, 12, 2, 11, 1))) + box("xml ", u32(0), secret) + box("uuid", secret),
		before: longBox("uuid", secret),
		after:  box("udta", secret) + box("mpvd", box("ftyp", "mp42")+secret) + box("skip", secret),
	}
}

// heicBoxes returns the kinds of the boxes in data.
func heicBoxes(t testing.TB, data []byte) (kinds []string) {
	t.Helper()
	for len(data) > 0 {
		size := binary.BigEndian.Uint32(data)
		switch size {
		case 0:
			size = uint32(len(data))
		case 1:
			size = binary.BigEndian.Uint32(data[12:])
		}
		kinds = append(kinds, string(data[4:8]))
		data = data[size:]
	}
	return kinds
}
