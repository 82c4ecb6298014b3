package imagemeta

import (
	"slices"
)

// heifProps are the properties that make the picture, with the sizes of their
// bodies where these are fixed. Others describe it in words, times and places.
var heifProps = map[string]int{
	"ispe": 12, "irot": 1, "imir": 1, "clap": 32, "pasp": 8, "clli": 4, "mdcv": 24, "amve": 8,
	"hvcC": -1, "pixi": -1, "colr": -1, "auxC": -1,
}

// cleanProp returns a property without what is not about how the picture looks;
// false if nothing stays.
func cleanProp(b innerBox) (innerBox, bool, error) {
	size, known := heifProps[b.kind]
	if !known {
		return b, false, nil
	}
	switch b.kind {
	case "hvcC":
		body, err := cleanDecoderConfiguration(b.body)
		return innerBox{b.kind, body}, true, err
	case "auxC":
		body, ok := isAlpha(b.body)
		return innerBox{b.kind, body}, ok, nil
	case "pixi":
		return b, len(b.body) > 4 && len(b.body) == 5+int(b.body[4]), nil
	case "colr":
		if len(b.body) < 4 {
			return b, false, nil
		}
		kind := string(b.body[:4])
		return b, kind == "nclx" && len(b.body) == 11 || kind == "prof" || kind == "rICC", nil
	}
	return b, len(b.body) == size, nil
}

// readProps reads the properties, and which items have them.
func (h *heif) readProps() error {
	boxes, err := innerBoxes(h.body["iprp"])
	if err != nil {
		return err
	}
	if len(boxes) == 0 || boxes[0].kind != "ipco" {
		return damaged("no properties")
	}
	if h.props, err = innerBoxes(boxes[0].body); err != nil {
		return err
	}
	for i, b := range h.props {
		cleaned, ok, err := cleanProp(b)
		if err != nil {
			return err
		}
		if h.props[i] = cleaned; !ok {
			h.props[i] = innerBox{kind: "free"}
		}
	}
	for _, b := range boxes[1:] {
		if b.kind != "ipma" {
			continue
		}
		if err := eachAssociation(b.body, func(id uint32, values []association, _ int) error {
			item := h.items[id]
			if item == nil || item.props != nil {
				return damaged("properties of item %d, which is not there or has others", id)
			}
			item.props = []int{}
			for _, a := range values {
				if a.index > len(h.props) {
					return damaged("item %d has a property that is not there", id)
				}
				if a.index > 0 {
					item.props = append(item.props, a.index-1)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// association is a property that an item has. The first property is 1.
type association struct {
	index     int
	essential bool
}

// eachAssociation calls visit for every item in an ipma box's body, with what a
// index's size in bytes is.
func eachAssociation(body []byte, visit func(id uint32, values []association, indexSize int) error) error {
	f := &fields{b: body}
	idSize, err := idSize(f, 1)
	if err != nil {
		return err
	}
	indexSize := 1 + int(body[3]&1)
	for range f.uint(4) {
		id := uint32(f.uint(idSize)) //nolint:gosec // at most four bytes
		values := make([]association, f.uint(1))
		for i := range values {
			v, top := int(f.uint(indexSize)), 1<<(8*indexSize-1) //nolint:gosec // at most two bytes
			values[i] = association{v &^ top, v&top != 0}
		}
		if f.err != nil {
			return f.err
		}
		if err := visit(id, values, indexSize); err != nil {
			return err
		}
	}
	return f.err
}

// rebuild returns a meta box's body of size bytes, with what stays. Nothing moves:
// what is shorter is filled up.
func (h *heif) rebuild(size int) ([]byte, error) {
	iprp, err := h.rebuildProps()
	if err != nil {
		return nil, err
	}
	out := make([]byte, 4, size)
	hdlr := 0 // where it ends
	for _, b := range h.boxes {
		body := b.body
		switch b.kind {
		case "hdlr":
			body = slices.Concat(make([]byte, 8), []byte("pict"), make([]byte, 12+1))
		case "pitm":
			body = h.body["pitm"]
		case "iinf":
			body = h.rebuildItems()
		case "iloc":
			body = h.rebuildLocations()
		case "iprp":
			body = iprp
		case "iref":
			if body = h.rebuildRefs(); len(body) == 4 {
				continue // none
			}
		case "idat":
			body = make([]byte, len(b.body))
			for _, s := range h.inIdat {
				copy(body[s.from:s.end()], b.body[s.from:])
			}
		}
		out = append(out, newBox(b.kind, body)...)
		if b.kind == "hdlr" {
			hdlr = len(out)
		}
	}
	rest := size - len(out)
	switch {
	case rest < 0:
		return nil, damaged("a description that grows by %d bytes", -rest)
	case rest >= 8:
		return append(out, newBox("free", make([]byte, rest-8))...), nil
	}
	// too little for a box: the handler's name ends with more than one zero
	out[hdlr-33+3] += byte(rest)
	return slices.Insert(out, hdlr, make([]byte, rest)...), nil
}

func (h *heif) rebuildItems() []byte {
	var n uint64
	var entries []byte
	for _, item := range h.order {
		if item.keep {
			n++
			entries = append(entries, item.entry...)
		}
	}
	version := h.body["iinf"][0]
	return slices.Concat(appendUint([]byte{version, 0, 0, 0}, 2<<version, n), entries)
}

func (h *heif) rebuildLocations() []byte {
	var n uint64
	var entries []byte
	for _, item := range h.order {
		if item.keep && item.location != nil {
			n++
			entries = append(entries, item.location...)
		}
	}
	body := h.body["iloc"]
	countSize := 2
	if body[0] == 2 {
		countSize = 4
	}
	return slices.Concat(appendUint([]byte{body[0], 0, 0, 0, body[4], body[5]}, countSize, n), entries)
}

// rebuildRefs keeps what says of which parts a picture is made.
func (h *heif) rebuildRefs() []byte {
	stays := func(id uint32) bool { return h.items[id] != nil && h.items[id].keep }
	out := []byte{h.body["iref"][0], 0, 0, 0}
	for _, r := range h.refs {
		known := r.kind == "dimg" || r.kind == "auxl" || r.kind == "prem"
		if known && stays(r.from) && !slices.ContainsFunc(r.to, func(id uint32) bool { return !stays(id) }) {
			out = append(out, r.raw...)
		}
	}
	return out
}

// rebuildProps keeps the known properties of the items that stay. The others become
// empty boxes, because properties go by their number.
func (h *heif) rebuildProps() ([]byte, error) {
	used := make([]bool, len(h.props))
	for _, item := range h.order {
		if item.keep {
			for _, i := range item.props {
				used[i] = true
			}
		}
	}
	var props []byte
	for i, b := range h.props {
		if !used[i] {
			b = innerBox{kind: "free"}
		}
		props = append(props, newBox(b.kind, b.body)...)
	}
	out := newBox("ipco", props)
	boxes, err := innerBoxes(h.body["iprp"])
	if err != nil {
		return nil, err
	}
	for _, b := range boxes[1:] {
		if b.kind != "ipma" {
			continue
		}
		var n uint64
		var entries []byte
		if err := eachAssociation(b.body, func(id uint32, values []association, indexSize int) error {
			if !h.items[id].keep {
				return nil
			}
			n++
			count := len(entries)
			idSize := 2 << b.body[0]
			entries = append(appendUint(entries, idSize, uint64(id)), 0)
			count += idSize
			for _, a := range values {
				if a.index == 0 || h.props[a.index-1].kind == "free" {
					if a.essential && a.index > 0 {
						return damaged("item %d needs a property that is not known", id)
					}
					continue
				}
				v := uint64(a.index) //nolint:gosec // not negative
				if a.essential {
					v |= 1 << (8*indexSize - 1)
				}
				entries = appendUint(entries, indexSize, v)
				entries[count]++
			}
			return nil
		}); err != nil {
			return nil, err
		}
		out = append(out, newBox("ipma", appendUint([]byte{b.body[0], 0, 0, b.body[3] & 1}, 4, n), entries)...)
	}
	return out, nil
}
