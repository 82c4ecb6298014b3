package imagemeta_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/imagemeta"
)

func TestHEIC(t *testing.T) {
	t.Parallel()
	wide, long, pieces := heicPhoto(), heicPhoto(), heicPhoto()
	wide.wide = true
	wide.refs = nil // a picture in one piece
	wide.items[0].kind, wide.items[0].inIdat, wide.items[0].props = "hvc1", false, []byte{propSize, propConfig, propTurn, propColours}
	long.mdat = longBox
	pieces.extents = func(_ heicItem, from, size uint32) string {
		return u16(2) + u32(from, size-3, from+size-3, 3)
	}
	toTheEnd := heicPhoto()
	toTheEnd.mdat, toTheEnd.after = func(kind string, body ...string) string { return u32(0) + kind + strings.Join(body, "") }, ""
	for name, file := range map[string]heicFile{"photo": heicPhoto(), "wide": wide, "long": long, "pieces": pieces, "to the end": toTheEnd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := file.build()
			mediaType, cleaned := clean(t, data)
			require.Equal(t, imagemeta.HEIC, mediaType)
			require.Equal(t, len(data)-len(file.after), len(cleaned))
			require.Equal(t, []string{"ftyp", "free", "meta", "mdat"}, heicBoxes(t, cleaned))
			for _, item := range file.items {
				if item.kind == "hvc1" && !strings.Contains(item.data, secret) && (!file.wide || item.id == 1) {
					require.Equal(t, bytes.Index(data, []byte(item.data)), bytes.Index(cleaned, []byte(item.data)), "the picture stays where it was")
				}
			}
			for _, gone := range []string{"Exif", "xmpmeta", "mime", "rdf", "uri ", "tmap", "udes", "thmb", "cdsc", "base", "grpl", "thumbnail", "depth", "auxid:2", "urn:5", "MM\x00*"} {
				require.NotContains(t, string(cleaned), gone)
			}
			for _, stays := range []string{"irot", "a profile", "parameters"} {
				require.Contains(t, string(cleaned), stays)
			}
		})
	}
	t.Run("meta", func(t *testing.T) {
		t.Parallel()
		_, cleaned := clean(t, heicPhoto().build())
		for _, part := range []string{
			box("iref", u32(0), ref("dimg", 1, 2, 4), ref("auxl", 9, 1), ref("prem", 1, 9)), box("pitm", u32(0), u16(1)),
			box("iinf", u32(0), u16(4), box("infe", "\x02\x00\x00\x01", u16(1, 0), "grid\x00"), box("infe", "\x02\x00\x00\x01", u16(2, 0), "hvc1\x00"),
				box("infe", "\x02\x00\x00\x01", u16(4, 0), "hvc1\x00"), box("infe", "\x02\x00\x00\x01", u16(9, 0), "hvc1\x00")),
			box("ipma", u32(0, 4), u16(1), "\x03\x01\x83\x08", u16(2), "\x02\x82\x04", u16(4), "\x02\x82\x04", u16(9), "\x03\x82\x01\x06"),
			ispe(32, 48) + box("free") + box("auxC", u32(0), "urn:mpeg:hevc:2015:auxid:1\x00") + box("free") + box("colr", "prof", "a profile"),
			"idat\x00\x00\x00\x01" + u16(64, 48) + "\x00",
		} {
			require.Contains(t, string(cleaned), part)
		}
	})
}

// TestHEICBytes: what is one byte shorter still has its length.
func TestHEICBytes(t *testing.T) {
	t.Parallel()
	file := heicFile{
		items: []heicItem{{1, "hvc1", "picture", false, []byte{1, 2, 3}, "\x00"}},
		props: []string{ispe(64, 48), box("hvcC", strings.Repeat("\x01", 22), "\x00"), box("what")}, bare: true,
	}
	data := file.build()
	_, cleaned := clean(t, data)
	require.Len(t, cleaned, len(data))
	file.after = box("skip", strings.Repeat("x", 99)) // the picture begins in the data and ends behind it
	file.extents = func(_ heicItem, from, size uint32) string { return u16(1) + u32(from, size+50) }
	refuses(t, file.build(), imagemeta.ErrDamaged)
	require.Contains(t, string(cleaned), box("hdlr", u32(0, 0), "pict", u32(0, 0, 0), "\x00\x00")+"\x00\x00\x00\x0epitm")
}

// TestHEICSharedData: tiles may have data in common.
func TestHEICSharedData(t *testing.T) {
	t.Parallel()
	file, tile := heicPhoto(), uint32(0)
	file.extents = func(item heicItem, from, size uint32) string {
		switch item.id {
		case 2:
			tile = from
		case 4:
			from, size = tile+1, 3
		}
		return u16(1) + u32(from, size)
	}
	_, cleaned := clean(t, file.build())
	require.Contains(t, string(cleaned), "left half\x00")
	require.NotContains(t, string(cleaned), "right")
}

// TestHEICFromEncoder cleans what libheif has written.
func TestHEICFromEncoder(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/photo.heic")
	require.NoError(t, err)
	require.Contains(t, string(data), secret)
	_, cleaned := clean(t, data)
	require.Len(t, cleaned, len(data))
	at := bytes.Index(data, []byte("mdat"))
	require.True(t, bytes.Contains(cleaned, data[at:at+4+127]), "the picture stays where it was")
}

func TestHEICBrands(t *testing.T) {
	t.Parallel()
	for brands, want := range map[string]string{
		"heicmif1heic": imagemeta.HEIC, "heixmif1": imagemeta.HEIC, "mif1heicmiaf": imagemeta.HEIC,
		"mif1mif1": imagemeta.HEIF, "mif1": imagemeta.HEIF, "mif1what" + secret[:4]: imagemeta.HEIF,
	} {
		file := heicPhoto()
		file.brands = brands[:4] + secret[:4] + brands[4:]
		mediaType, cleaned := clean(t, file.build())
		require.Equal(t, want, mediaType, brands)
		require.NotContains(t, string(cleaned), "what")
		require.NotContains(t, string(cleaned), secret[:4])
	}
	for brands, want := range map[string]error{
		"hevcmif1heic": imagemeta.ErrAnimated, "msf1msf1hevc": imagemeta.ErrAnimated,
		"mif1avifmiaf": imagemeta.ErrUnknownType, "avifmif1heic": imagemeta.ErrUnknownType, "qt  heic": imagemeta.ErrUnknownType,
		"heic" + strings.Repeat("mif1", 33): imagemeta.ErrDamaged, "heicabc": imagemeta.ErrDamaged,
	} {
		file := heicPhoto()
		file.brands = brands[:4] + u32(0) + brands[4:]
		refuses(t, file.build(), want)
	}
}

// TestHEICRefused: what is not understood to the last byte is not kept.
func TestHEICRefused(t *testing.T) {
	t.Parallel()
	replace := func(old, other string) func(*heicFile) []byte {
		return func(f *heicFile) []byte {
			data := string(f.build())
			if !strings.Contains(data, old) {
				panic("not in the file: " + old)
			}
			return []byte(strings.Replace(data, old, other, 1))
		}
	}
	set := func(change func(*heicFile)) func(*heicFile) []byte {
		return func(f *heicFile) []byte { change(f); return f.build() }
	}
	located := func(id uint16, location string) func(*heicFile) []byte {
		return set(func(f *heicFile) {
			f.extents = func(item heicItem, from, size uint32) string {
				if item.id == id {
					return location
				}
				return u16(1) + u32(from, size)
			}
		})
	}
	overlap := set(func(f *heicFile) {
		var tile uint32
		f.extents = func(item heicItem, from, size uint32) string {
			switch item.id {
			case 2:
				tile = from
			case 3:
				return u16(1) + u32(tile+size/20, 3)
			}
			return u16(1) + u32(from, size)
		}
	})
	for name, test := range map[string]struct {
		change func(*heicFile) []byte
		reason error
	}{
		"a film":                    {set(func(f *heicFile) { f.after += box("moov", "film") }), imagemeta.ErrAnimated},
		"coded otherwise":           {set(func(f *heicFile) { f.items[0].kind = "av01" }), imagemeta.ErrUnknownType},
		"a tile coded otherwise":    {set(func(f *heicFile) { f.items[1].kind = "jpeg" }), imagemeta.ErrDamaged},
		"a grid in a grid":          {set(func(f *heicFile) { f.items[1].kind = "grid" }), imagemeta.ErrDamaged},
		"a grid of itself":          {set(func(f *heicFile) { f.refs[0] = ref("dimg", 1, 1, 1) }), imagemeta.ErrDamaged},
		"a tile that is not there":  {set(func(f *heicFile) { f.refs[0] = ref("dimg", 1, 2, 77) }), imagemeta.ErrDamaged},
		"a tile too few":            {set(func(f *heicFile) { f.refs[0] = ref("dimg", 1, 2) }), imagemeta.ErrDamaged},
		"made twice":                {set(func(f *heicFile) { f.refs = append(f.refs, ref("dimg", 1, 2, 4)) }), imagemeta.ErrDamaged},
		"no tiles":                  {set(func(f *heicFile) { f.refs = nil }), imagemeta.ErrDamaged},
		"a picture without a size":  {set(func(f *heicFile) { f.items[0].props = []byte{propColours} }), imagemeta.ErrDamaged},
		"a tile without a size":     {set(func(f *heicFile) { f.items[1].props = []byte{propConfig} }), imagemeta.ErrDamaged},
		"a tile without parameters": {set(func(f *heicFile) { f.items[1].props = []byte{propTile} }), imagemeta.ErrDamaged},
		"an empty picture":          {set(func(f *heicFile) { f.props[0] = ispe(0, 48) }), imagemeta.ErrDamaged},
		"properties of nobody":      {set(func(f *heicFile) { f.items[1].props = []byte{99} }), imagemeta.ErrDamaged},
		"a property that matters":   {set(func(f *heicFile) { f.items[0].props = []byte{propSize, propWords | essential} }), imagemeta.ErrDamaged},
		"half a configuration":      {set(func(f *heicFile) { f.props[1] = box("hvcC", strings.Repeat("\x01", 22), "\x02") }), imagemeta.ErrDamaged},
		"two items of one id":       {set(func(f *heicFile) { f.items[3].id = 2 }), imagemeta.ErrDamaged},
		"two descriptions":          {set(func(f *heicFile) { f.before = box("meta", u32(0)) }), imagemeta.ErrDamaged},
		"many items": {set(func(f *heicFile) {
			for n := range uint16(2_000) {
				f.items = append(f.items, heicItem{id: 100 + n, kind: "free"})
			}
		}), imagemeta.ErrDamaged},
		"two places of one item":     {replace("\x00\x0b\x00\x00\x00\x00\x00\x01", "\x00\x0a\x00\x00\x00\x00\x00\x01"), imagemeta.ErrDamaged},
		"properties given twice":     {replace("\x00\x04\x02\x82\x04", "\x00\x02\x02\x82\x04"), imagemeta.ErrDamaged},
		"a long description":         {set(func(f *heicFile) { f.inMeta = box("free", strings.Repeat("x", 1<<20)) }), imagemeta.ErrDamaged},
		"two lists of items":         {set(func(f *heicFile) { f.inMeta = box("iinf", u32(0), u16(0)) }), imagemeta.ErrDamaged},
		"many boxes":                 {set(func(f *heicFile) { f.after = strings.Repeat(box("free"), 100) }), imagemeta.ErrDamaged},
		"another type within":        {set(func(f *heicFile) { f.after = box("ftyp", "heic") }), imagemeta.ErrDamaged},
		"what follows is no box":     {set(func(f *heicFile) { f.after = "SEFT" + secret }), imagemeta.ErrDamaged},
		"a box of three bytes":       {set(func(f *heicFile) { f.after = u32(3) + "free" }), imagemeta.ErrDamaged},
		"a long box of three bytes":  {set(func(f *heicFile) { f.after = u32(1) + "free" + u32(0, 3) }), imagemeta.ErrDamaged},
		"a box beyond all":           {set(func(f *heicFile) { f.after = u32(1) + "free" + u32(1<<31, 3) }), imagemeta.ErrDamaged},
		"a box of no end":            {set(func(f *heicFile) { f.after = u32(1) + "free" + u32(1<<31-1, 1<<32-1) }), imagemeta.ErrDamaged},
		"no picture":                 {replace("pitm\x00\x00\x00\x00\x00\x01", "pitm\x00\x00\x00\x00\x00\x4d"), imagemeta.ErrDamaged},
		"no primary item":            {replace("pitm", "what"), imagemeta.ErrDamaged},
		"not about a picture":        {replace("pict", "soun"), imagemeta.ErrDamaged},
		"no description":             {replace("meta", "what"), imagemeta.ErrDamaged},
		"no data":                    {replace("mdat", "what"), imagemeta.ErrDamaged},
		"an old kind of item":        {replace("infe\x02", "infe\x01"), imagemeta.ErrDamaged},
		"another kind of list":       {replace("infe", "what"), imagemeta.ErrDamaged},
		"a protected item":           {replace("\x00\x00Exif", "\x00\x01Exif"), imagemeta.ErrDamaged},
		"more items than there are":  {replace("iinf\x00\x00\x00\x00\x00\x0b", "iinf\x00\x00\x00\x00\x00\x0c"), imagemeta.ErrDamaged},
		"places of a later version":  {replace("iloc\x01", "iloc\x03"), imagemeta.ErrDamaged},
		"places of odd numbers":      {replace("\x44\x00\x00\x0b", "\x45\x00\x00\x0b"), imagemeta.ErrDamaged},
		"items in items":             {replace("\x44\x00\x00\x0b", "\x44\x04\x00\x0b"), imagemeta.ErrDamaged},
		"references of a new kind":   {replace("iref\x00", "iref\x02"), imagemeta.ErrDamaged},
		"a reference without an end": {replace("cdsc\x00\x03\x00\x01", "cdsc\x00\x03\x01\x01"), imagemeta.ErrDamaged},
		"properties without an end":  {replace("ipco", "what"), imagemeta.ErrDamaged},
		"made in another item":       {replace("\x00\x03\x00\x00\x00\x00\x00\x01", "\x00\x03\x00\x02\x00\x00\x00\x01"), imagemeta.ErrDamaged},
		"in another file":            {replace("\x00\x03\x00\x00\x00\x00\x00\x01", "\x00\x03\x00\x00\x00\x01\x00\x01"), imagemeta.ErrDamaged},
		"the picture outside":        {located(2, u16(1)+u32(1<<30, 9)), imagemeta.ErrDamaged},
		"the picture in a header":    {located(2, u16(1)+u32(0, 9)), imagemeta.ErrDamaged},
		"a place beyond all":         {located(3, u16(1)+u32(1<<32-1, 1<<32-1)), imagemeta.ErrDamaged},
		"words beyond the end":       {located(6, u16(1)+u32(8, 1<<20)), imagemeta.ErrDamaged},
		"EXIF over everything":       {located(3, u16(1)+u32(0, 0)), imagemeta.ErrDamaged},
		"EXIF in the picture":        {overlap, imagemeta.ErrDamaged},
		"a piece too much":           {located(3, u16(9)+u32(0, 1)), imagemeta.ErrDamaged},
		"many pieces":                {located(3, u16(4001)+strings.Repeat(u32(0, 1), 4001)), imagemeta.ErrDamaged},
		"a grid of words":            {set(func(f *heicFile) { f.items[0].data = secret }), imagemeta.ErrDamaged},
		"a grid of three":            {set(func(f *heicFile) { f.items[0].data = "\x00\x00\x00\x02" + u16(64, 48) }), imagemeta.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := heicPhoto()
			refuses(t, test.change(&file), test.reason)
		})
	}
}

// TestHEICPixelBomb: a grid is as large as it says, and as all its tiles.
func TestHEICPixelBomb(t *testing.T) {
	t.Parallel()
	grid := func(width, height uint16) func(*heicFile) {
		return func(f *heicFile) { f.items[0].data = "\x00\x00\x00\x01" + u16(width, height) }
	}
	for name, test := range map[string]struct {
		change func(*heicFile)
		fits   bool
	}{
		"the largest":         {func(f *heicFile) { f.props[0] = ispe(10_000, 5_000) }, true},
		"a row more":          {func(f *heicFile) { f.props[0] = ispe(10_000, 5_001) }, false},
		"as large as can be":  {func(f *heicFile) { f.props[0] = ispe(1<<32-1, 1<<32-1) }, false},
		"a large tile":        {func(f *heicFile) { f.props[3] = ispe(1<<16, 1<<16) }, false},
		"tiles over the edge": {func(f *heicFile) { f.props[3] = ispe(512, 512) }, true},
		"too many large tiles": {func(f *heicFile) {
			f.items[0].data, f.refs[0], f.props[3] = "\x00\x00\x00\x02"+u16(64, 48), ref("dimg", 1, 2, 4, 2), ispe(5_000, 10_000)
		}, false},
		"the largest grid":        {grid(5_000, 10_000), true},
		"a grid of a column more": {grid(5_001, 10_000), false},
		"a long grid":             {func(f *heicFile) { f.items[0].data = "\x00\x01\x00\x01" + u32(1<<31, 1<<31) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := heicPhoto()
			test.change(&file)
			if !test.fits {
				refuses(t, file.build(), imagemeta.ErrTooManyPixels)
				return
			}
			clean(t, file.build())
		})
	}
}

// TestHEICCutShort: no beginning of a file passes for the whole.
func TestHEICCutShort(t *testing.T) {
	t.Parallel()
	file := heicPhoto()
	file.after = ""
	data := file.build()
	for n := 12; n < len(data); n++ {
		_, err := imagemeta.Clean(bytes.NewReader(data[:n]), int64(n))
		require.Error(t, err, n)
	}
}

// TestHEICNoises: no changed byte crashes it, or makes the file longer.
func TestHEICNoises(t *testing.T) {
	t.Parallel()
	data := heicPhoto().build()
	media := bytes.Index(data, []byte("mdat"))
	for at := range media {
		for _, value := range []byte{0, 1, 0x7f, 0xff, data[at] + 1, data[at] ^ 0x80} {
			noisy := bytes.Clone(data)
			noisy[at] = value
			f, err := imagemeta.Clean(bytes.NewReader(noisy), int64(len(noisy)))
			if err != nil {
				continue
			}
			cleaned, err := io.ReadAll(f)
			require.NoError(t, err)
			require.EqualValues(t, f.Size, len(cleaned))
			require.LessOrEqual(t, len(cleaned), len(noisy))
		}
	}
}
