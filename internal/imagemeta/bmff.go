package imagemeta

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// span is a stretch of a file or of a part of it.
type span struct{ from, size int64 }

func (s span) end() int64 { return s.from + s.size }

// merged returns spans in order, those that touch or overlap as one.
func merged(spans []span) (out []span) {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return int(min(max(a.from-b.from, -1), 1)) })
	for _, s := range spans {
		if n := len(out); n > 0 && s.from <= out[n-1].end() {
			out[n-1].size = max(out[n-1].end(), s.end()) - out[n-1].from
			continue
		}
		out = append(out, s)
	}
	return out
}

// overlaps says whether s has a byte in common with one of spans, which are merged.
func overlaps(spans []span, s span) bool {
	i, _ := slices.BinarySearchFunc(spans, s.from, func(one span, from int64) int {
		if one.end() <= from {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].from < s.end()
}

// topBox is a box that is not inside another (ISO/IEC 14496-12 section 4.2).
type topBox struct {
	kind string
	span
	head int64 // the size of its header
}

func (b topBox) body() span { return span{b.from + b.head, b.size - b.head} }

// topBoxes reads the headers of the boxes that the source consists of.
func (p *parts) topBoxes() (list []topBox, err error) {
	for at := int64(0); at < p.size; {
		if len(list) == maxTopBoxes {
			return nil, damaged("more than %d boxes", maxTopBoxes)
		}
		head, err := p.at(at, 8)
		if err != nil {
			return nil, err
		}
		b := topBox{string(head[4:]), span{at, int64(binary.BigEndian.Uint32(head))}, 8}
		switch b.size {
		case 0: // up to the end
			b.size = p.size - at
		case 1:
			long, err := p.at(at+8, 8)
			if err != nil {
				return nil, err
			}
			b.head, b.size = 16, int64(binary.BigEndian.Uint64(long)) //nolint:gosec // a negative one is refused
		}
		if b.size < b.head {
			return nil, damaged("a box of %d bytes", b.size)
		}
		if b.size > p.size-at {
			return nil, io.ErrUnexpectedEOF
		}
		list = append(list, b)
		at += b.size
	}
	return list, nil
}

// innerBox is a box inside another.
type innerBox struct {
	kind string
	body []byte
}

// innerBoxes splits what a box consists of.
func innerBoxes(data []byte) (list []innerBox, err error) {
	for len(data) > 0 {
		f := &fields{b: data}
		size, kind, head := f.uint(4), string(f.take(4)), uint64(8)
		if size == 1 {
			size, head = f.uint(8), 16
		}
		if f.err != nil {
			return nil, f.err
		}
		if size < head || size > uint64(len(data)) {
			return nil, damaged("a box of %d bytes in %d", size, len(data))
		}
		list = append(list, innerBox{kind, data[head:size]})
		data = data[size:]
	}
	return list, nil
}

// newBox returns a box with its header.
func newBox(kind string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	head := binary.BigEndian.AppendUint32(nil, uint32(8+len(body))) //nolint:gosec // below maxMetaBytes
	return slices.Concat(head, []byte(kind), body)
}

// appendUint appends the n lower bytes of v.
func appendUint(b []byte, n int, v uint64) []byte {
	return append(b, binary.BigEndian.AppendUint64(nil, v)[8-n:]...)
}

// fields reads big-endian fields. After the first that is not there it reads zeros.
type fields struct {
	b   []byte
	err error
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.b, f.err = nil, io.ErrUnexpectedEOF
		return make([]byte, n)
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

// uint reads an unsigned number of n bytes.
func (f *fields) uint(n int) (v uint64) {
	for _, c := range f.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}
