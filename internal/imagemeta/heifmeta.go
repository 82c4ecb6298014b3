package imagemeta

import (
	"encoding/binary"
	"slices"
)

// heif is what a HEIF file's meta box tells (ISO/IEC 23008-12, and 14496-12 section
// 8.11 for most boxes in it).
type heif struct {
	p       *parts
	boxes   []innerBox
	body    map[string][]byte // of the boxes that the picture needs
	media   []span            // where an item's data may be in the file
	items   map[uint32]*heifItem
	order   []*heifItem
	refs    []heifRef
	madeOf  map[uint32][]uint32
	props   []innerBox
	inFile  []span // what stays in the file, merged
	inIdat  []span // what stays in the idat box, merged
	extents int
}

// heifItem is a picture, a part of one, or something said about one.
type heifItem struct {
	id       uint32
	kind     string
	entry    []byte // in iinf
	location []byte // in iloc
	inIdat   bool
	extents  []span
	props    []int // into props
	keep     bool
}

// heifRef says what an item has to do with others.
type heifRef struct {
	kind string
	from uint32
	to   []uint32
	raw  []byte
}

// heifNeeds says for the boxes that we know in a meta box whether it must be there.
// Others hold metadata, groups of pictures and places outside the file.
var heifNeeds = map[string]bool{
	"hdlr": true, "pitm": true, "iinf": true, "iloc": true, "iprp": true, "iref": false, "idat": false,
}

// readHEIF reads a meta box's body, and decides what of the file stays: the primary
// item, what it is made of, and its transparency. Thumbnails, depth maps and further
// pictures go: they may show what was cut off the picture.
func readHEIF(p *parts, body []byte, media []span) (*heif, error) {
	h := &heif{p: p, media: media, body: map[string][]byte{}, items: map[uint32]*heifItem{}, madeOf: map[uint32][]uint32{}}
	if len(body) < 4 {
		return nil, damaged("a description of %d bytes", len(body))
	}
	boxes, err := innerBoxes(body[4:])
	if err != nil {
		return nil, err
	}
	for _, b := range boxes {
		if _, known := heifNeeds[b.kind]; !known {
			continue
		}
		if _, twice := h.body[b.kind]; twice {
			return nil, damaged("two %s boxes", b.kind)
		}
		h.body[b.kind] = b.body
		h.boxes = append(h.boxes, b)
	}
	for kind, needed := range heifNeeds {
		if _, has := h.body[kind]; needed && !has {
			return nil, damaged("no %s box", kind)
		}
	}
	if hdlr := h.body["hdlr"]; len(hdlr) < 25 || string(hdlr[8:12]) != "pict" {
		return nil, damaged("not a picture")
	}
	for _, read := range []func() error{h.readItems, h.readLocations, h.readRefs, h.readProps, h.keepPrimary, h.checkExtents} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// idSize is how many bytes an item's id has in the box that f is at the beginning
// of, whose first version with long ones is given.
func idSize(f *fields, long uint64) (size int, err error) {
	version := f.uint(1)
	f.take(3)
	if f.err != nil || version > long {
		return 0, damaged("a box of version %d", version)
	}
	if version == long {
		return 4, nil
	}
	return 2, nil
}

func (h *heif) readItems() error {
	f := &fields{b: h.body["iinf"]}
	countSize, err := idSize(f, 1)
	if err != nil {
		return err
	}
	count := f.uint(countSize)
	if f.err != nil || count > maxItems {
		return damaged("%d items", count)
	}
	boxes, err := innerBoxes(f.b)
	if err != nil {
		return err
	}
	if uint64(len(boxes)) != count {
		return damaged("%d items of %d", len(boxes), count)
	}
	for _, b := range boxes {
		f := &fields{b: b.body}
		version, flags := f.uint(1), f.uint(3)
		if b.kind != "infe" || version != 2 && version != 3 {
			return damaged("an item in a box %q of version %d", b.kind, version)
		}
		size := 2 * int(version-1)
		item := &heifItem{id: uint32(f.uint(size))} //nolint:gosec // at most four bytes
		protection := f.uint(2)
		item.kind = string(f.take(4))
		if f.err != nil {
			return f.err
		}
		if protection != 0 || h.items[item.id] != nil {
			return damaged("item %d is protected or there twice", item.id)
		}
		// only the flag "hidden" and an empty name
		entry := slices.Concat([]byte{byte(version), 0, 0, byte(flags & 1)}, b.body[4:10+size], make([]byte, min(1, len(f.b)))) //nolint:gosec // 2 or 3
		item.entry = newBox("infe", entry)
		h.items[item.id] = item
		h.order = append(h.order, item)
	}
	return nil
}

func (h *heif) readLocations() error {
	f := &fields{b: h.body["iloc"]}
	if len(f.b) == 0 {
		return damaged("no places of items")
	}
	version := f.b[0]
	idSize, err := idSize(f, 2)
	if err != nil {
		return err
	}
	sizes := int(f.uint(2)) //nolint:gosec // two bytes
	offsetSize, lengthSize, baseSize, indexSize := sizes>>12, sizes>>8&15, sizes>>4&15, sizes&15
	for _, size := range []int{offsetSize, lengthSize, baseSize} {
		if size != 0 && size != 4 && size != 8 {
			return damaged("numbers of %d bytes", size)
		}
	}
	if indexSize != 0 { // only items inside items have an index
		return damaged("items inside items")
	}
	for range f.uint(idSize) {
		entry := f.b
		item := h.items[uint32(f.uint(idSize))] //nolint:gosec // at most four bytes
		method := uint64(0)
		if version > 0 {
			method = f.uint(2)
		}
		source, base := f.uint(2), f.uint(baseSize)
		extents := f.uint(2)
		if f.err != nil {
			return f.err
		}
		if item == nil || item.location != nil || method > 1 || source != 0 {
			return damaged("data of an item that is not there, or in a strange place")
		}
		item.inIdat = method == 1
		for range extents {
			offset, length := f.uint(offsetSize), f.uint(lengthSize)
			if f.err != nil {
				return f.err
			}
			if err := h.addExtent(item, base, offset, length); err != nil {
				return err
			}
		}
		item.location = entry[:len(entry)-len(f.b)]
	}
	return f.err
}

func (h *heif) addExtent(item *heifItem, base, offset, length uint64) error {
	size := uint64(h.p.size) //nolint:gosec // a size
	if item.inIdat {
		size = uint64(len(h.body["idat"]))
	}
	if h.extents++; h.extents > maxExtents {
		return damaged("more than %d pieces", maxExtents)
	}
	if length == 0 { // would mean: everything
		return damaged("a piece without a length")
	}
	if base > size || offset > size-base || length > size-base-offset {
		return damaged("item %d lies outside the file", item.id)
	}
	item.extents = append(item.extents, span{int64(base + offset), int64(length)}) //nolint:gosec // inside the file
	return nil
}

func (h *heif) readRefs() error {
	body, has := h.body["iref"]
	if !has {
		return nil
	}
	f := &fields{b: body}
	size, err := idSize(f, 1)
	if err != nil {
		return err
	}
	boxes, err := innerBoxes(f.b)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		f := &fields{b: b.body}
		r := heifRef{kind: b.kind, from: uint32(f.uint(size))} //nolint:gosec // at most four bytes
		for range f.uint(2) {
			if f.err != nil {
				return f.err
			}
			r.to = append(r.to, uint32(f.uint(size))) //nolint:gosec // at most four bytes
		}
		if f.err != nil {
			return f.err
		}
		r.raw = newBox(b.kind, b.body[:len(b.body)-len(f.b)])
		h.refs = append(h.refs, r)
		if r.kind == "dimg" {
			if h.madeOf[r.from] != nil {
				return damaged("item %d is made twice", r.from)
			}
			h.madeOf[r.from] = r.to
		}
	}
	return nil
}

// keepPrimary marks the items that make the picture.
func (h *heif) keepPrimary() error {
	f := &fields{b: h.body["pitm"]}
	size, err := idSize(f, 1)
	if err != nil {
		return err
	}
	primary := uint32(f.uint(size)) //nolint:gosec // at most four bytes
	if f.err != nil {
		return f.err
	}
	h.body["pitm"] = h.body["pitm"][:4+size]
	if err := h.keepItem(primary, "hvc1", "grid", "iden"); err != nil {
		return err
	}
	for _, r := range h.refs {
		if r.kind != "auxl" || len(r.to) != 1 || r.to[0] != primary {
			continue
		}
		item := h.items[r.from]
		if item == nil || item.keep || !h.has(item, "auxC") {
			continue // readProps has left no other auxC than that of transparency
		}
		if err := h.keepItem(r.from, "hvc1", "grid"); err != nil {
			return err
		}
	}
	return nil
}

// keepItem marks an item, which must be of one of the kinds, and those it is made of.
func (h *heif) keepItem(id uint32, kinds ...string) error {
	item := h.items[id]
	if item == nil {
		return damaged("no item %d", id)
	}
	if !slices.Contains(kinds, item.kind) {
		if len(kinds) == 3 { // the picture itself
			return ErrUnknownType
		}
		return damaged("item %d is of type %q", id, item.kind)
	}
	if item.keep {
		return nil
	}
	item.keep = true
	if _, err := h.pixels(item); err != nil {
		return err
	}
	madeOf := h.madeOf[id]
	switch item.kind {
	case "hvc1":
		if len(madeOf) > 0 || len(item.extents) == 0 || !h.has(item, "hvcC") {
			return damaged("item %d can't be decoded", id)
		}
		return nil
	case "iden":
		item.location, item.extents = nil, nil
		if len(madeOf) != 1 {
			return damaged("item %d is %d others", id, len(madeOf))
		}
		return h.keepItem(madeOf[0], "hvc1", "grid")
	}
	return h.keepTiles(item, madeOf)
}

// keepTiles marks what a grid is made of (ISO/IEC 23008-12 section 6.6.2.3).
func (h *heif) keepTiles(item *heifItem, tiles []uint32) error {
	data, err := h.data(item)
	if err != nil {
		return err
	}
	f := &fields{b: data}
	version, flags := f.uint(1), f.uint(1)
	rows, columns := f.uint(1)+1, f.uint(1)+1
	size := 2 << (flags & 1)
	width, height := f.uint(size), f.uint(size)
	if f.err != nil || len(f.b) > 0 || version != 0 || flags > 1 || uint64(len(tiles)) != rows*columns {
		return damaged("a grid of %d by %d with %d tiles", rows, columns, len(tiles))
	}
	if err := checkPixels(uint32(width), uint32(height)); err != nil { //nolint:gosec // at most four bytes
		return err
	}
	limit := uint64(2 * MaxPixels) // tiles reach over the edge
	for _, id := range tiles {
		if err := h.keepItem(id, "hvc1"); err != nil {
			return err
		}
		tile, err := h.pixels(h.items[id])
		if err != nil {
			return err
		}
		if tile > limit {
			return ErrTooManyPixels
		}
		limit -= tile
	}
	return nil
}

func (h *heif) has(item *heifItem, prop string) bool {
	return slices.ContainsFunc(item.props, func(i int) bool { return h.props[i].kind == prop })
}

// pixels returns how large an item says it is.
func (h *heif) pixels(item *heifItem) (n uint64, err error) {
	for _, i := range item.props {
		if prop := h.props[i]; prop.kind == "ispe" {
			width, height := binary.BigEndian.Uint32(prop.body[4:]), binary.BigEndian.Uint32(prop.body[8:])
			if err := checkPixels(width, height); err != nil {
				return 0, err
			}
			n = max(n, uint64(width)*uint64(height))
		}
	}
	if n == 0 {
		return 0, damaged("item %d has no size", item.id)
	}
	return n, nil
}

// data reads an item of a few bytes.
func (h *heif) data(item *heifItem) (data []byte, err error) {
	for _, s := range item.extents {
		if s.size > 12 || len(data) > 12 {
			return nil, damaged("item %d is long", item.id)
		}
		if item.inIdat {
			data = append(data, h.body["idat"][s.from:s.end()]...)
			continue
		}
		piece, err := h.p.at(s.from, int(s.size))
		if err != nil {
			return nil, err
		}
		data = append(data, piece...)
	}
	return data, nil
}

// checkExtents sees to it that what goes has no byte in common with what stays.
func (h *heif) checkExtents() error {
	for _, item := range h.order {
		switch {
		case !item.keep:
		case item.inIdat:
			h.inIdat = append(h.inIdat, item.extents...)
		default:
			h.inFile = append(h.inFile, item.extents...)
		}
	}
	for _, s := range h.inFile {
		if !slices.ContainsFunc(h.media, func(m span) bool { return m.from <= s.from && s.end() <= m.end() }) {
			return damaged("a picture outside of the media data")
		}
	}
	h.inFile, h.inIdat = merged(h.inFile), merged(h.inIdat)
	for _, item := range h.order {
		kept := h.inFile
		if item.inIdat {
			kept = h.inIdat
		}
		for _, s := range item.extents {
			if !item.keep && overlaps(kept, s) {
				return damaged("item %d lies in the picture", item.id)
			}
		}
	}
	return nil
}
