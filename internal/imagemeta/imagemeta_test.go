package imagemeta_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/imagemeta"
)

// secret stands in everything that a cleaned file must not hold.
const secret = "51.5007N 0.1246W"

func clean(t testing.TB, data []byte) (mediaType string, cleaned []byte) {
	t.Helper()
	f, err := imagemeta.Clean(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	cleaned, err = io.ReadAll(f)
	require.NoError(t, err)
	require.EqualValues(t, f.Size, len(cleaned))
	require.NotContains(t, string(cleaned), secret)

	again, err := imagemeta.Clean(bytes.NewReader(cleaned), int64(len(cleaned)))
	require.NoError(t, err)
	same, err := io.ReadAll(again)
	require.NoError(t, err)
	require.Equal(t, cleaned, same, "what is clean stays as it is")
	return f.MediaType, cleaned
}

func refuses(t testing.TB, data []byte, reason error) {
	t.Helper()
	_, err := imagemeta.Clean(bytes.NewReader(data), int64(len(data)))
	require.ErrorIs(t, err, reason)
}

// picture has enough in it for several scans and chunks.
func picture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = byte(i * i)
	}
	for x := range 64 {
		m.Set(x, 0, color.White)
	}
	return m
}

func jpegFile(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, picture(), nil))
	return b.Bytes()
}

func segment(marker byte, body string) string {
	return string([]byte{0xFF, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}) + body
}

// exif says where the picture was taken, and how to turn it.
func exif(order binary.ByteOrder, mark string, orientation uint16) string {
	b := []byte(mark)
	b = appendTo(order, b, uint16(42), uint32(8), uint16(3))
	b = appendTo(order, b, uint16(0x010E), uint16(2), uint32(len(secret)), uint32(50))   // description
	b = appendTo(order, b, uint16(0x0112), uint16(3), uint32(1), orientation, uint16(0)) // orientation
	b = appendTo(order, b, uint16(0x8825), uint16(4), uint32(1), uint32(50))             // GPS directory
	b = appendTo(order, b, uint32(0))
	return "Exif\x00\x00" + string(b) + secret
}

func appendTo(order binary.ByteOrder, b []byte, values ...any) []byte {
	for _, v := range values {
		b, _ = binary.Append(b, order, v) // fixed sizes
	}
	return b
}

func TestJPEG(t *testing.T) {
	t.Parallel()
	plain := jpegFile(t)
	icc := segment(0xE2, "ICC_PROFILE\x00\x01\x01a profile")
	scan := bytes.Index(plain, []byte{0xFF, 0xDA})
	for name, order := range map[string]struct {
		binary.ByteOrder
		mark string
	}{"big-endian": {binary.BigEndian, "MM"}, "little-endian": {binary.LittleEndian, "II"}} {
		t.Run(name, func(t *testing.T) {
			photo := string(plain[:2]) +
				segment(0xE0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01"+secret) + // a thumbnail
				segment(0xE1, exif(order, order.mark, 6)) +
				segment(0xE1, exif(order, order.mark, 3)) +
				segment(0xE1, "http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>"+secret) +
				icc +
				segment(0xE2, "MPF\x00"+secret) +
				segment(0xED, "Photoshop 3.0\x00"+secret) +
				segment(0xEB, secret) + segment(0xFE, secret) +
				string(plain[2:scan]) + segment(0xFE, secret) + string(plain[scan:]) +
				string(plain[:2]) + segment(0xE1, exif(order, order.mark, 6)) + secret // a video, say
			mediaType, cleaned := clean(t, []byte(photo))
			require.Equal(t, imagemeta.JPEG, mediaType)
			require.Contains(t, string(cleaned), icc, "the colours stay")
			require.Equal(t, 1, bytes.Count(cleaned, []byte("Exif")))
			at := bytes.Index(cleaned, []byte("Exif\x00\x00"))
			require.Equal(t, "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00", string(cleaned[at+6:at+32]))

			want, err := jpeg.Decode(bytes.NewReader(plain))
			require.NoError(t, err)
			got, err := jpeg.Decode(bytes.NewReader(cleaned))
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, string(plain[scan:]), string(cleaned[len(cleaned)-len(plain)+scan:]), "not encoded again")
		})
	}
	for name, body := range map[string]string{
		"empty": "", "only a header": "Exif\x00\x00MM\x00*", "directory outside": "Exif\x00\x00MM\x00*\xff\xff\xff\xff",
		"directory at the end": "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x09", "no orientation": exif(binary.BigEndian, "MM", 99),
	} {
		t.Run("EXIF "+name, func(t *testing.T) {
			_, cleaned := clean(t, []byte(string(plain[:2])+segment(0xE1, body)+string(plain[2:])))
			require.Equal(t, plain, cleaned)
		})
	}
}

// withJPEGSize claims other dimensions.
func withJPEGSize(data []byte, width, height uint16) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(data[at+5:], height)
	binary.BigEndian.PutUint16(data[at+7:], width)
	return data
}

func pngFile(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, picture()))
	return b.Bytes()
}

func chunk(name, body string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	return string(head) + name + body + string(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(name+body))))
}

const headerEnd = 8 + 25 // of a PNG: signature and IHDR

func TestPNG(t *testing.T) {
	t.Parallel()
	plain := pngFile(t)
	gamma := chunk("gAMA", "\x00\x00\xb1\x8f")
	photo := string(plain[:headerEnd]) + gamma +
		chunk("eXIf", exif(binary.BigEndian, "MM", 6)[6:]) + chunk("tEXt", "GPS\x00"+secret) + chunk("zTXt", secret) +
		chunk("iTXt", secret) + chunk("tIME", secret) + chunk("prVt", secret) + chunk("fdAT", secret) +
		string(plain[headerEnd:]) + secret
	mediaType, cleaned := clean(t, []byte(photo))
	require.Equal(t, imagemeta.PNG, mediaType)
	require.Equal(t, string(plain[:headerEnd])+gamma+string(plain[headerEnd:]), string(cleaned))
	_, err := png.Decode(bytes.NewReader(cleaned))
	require.NoError(t, err)
}

func withPNGSize(data []byte, width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return []byte(string(data[:8]) + chunk("IHDR", string(header)+string(data[24:29])) + string(data[headerEnd:]))
}

func riff(chunks ...string) []byte {
	body := "WEBP" + strings.Join(chunks, "")
	return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
}

func webpChunk(name, body string) string {
	size := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	return name + string(size) + body + strings.Repeat("\x00", len(body)%2)
}

func vp8x(flags byte, width, height uint32) string {
	w, h := width-1, height-1
	return webpChunk("VP8X", string([]byte{flags, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)}))
}

func vp8(width, height uint16) string {
	size := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, width), height)
	return webpChunk("VP8 ", "\x10\x00\x00\x9d\x01\x2a"+string(size)+"picture")
}

func vp8l(width, height uint32) string {
	return webpChunk("VP8L", "\x2f"+string(binary.LittleEndian.AppendUint32(nil, width-1|(height-1)<<14))+"picture")
}

func TestWebP(t *testing.T) {
	t.Parallel()
	exif, xmp := webpChunk("EXIF", exif(binary.BigEndian, "MM", 6)), webpChunk("XMP ", secret+"!")
	icc := webpChunk("ICCP", "profile")
	mediaType, cleaned := clean(t, append(riff(vp8x(0x20|0x08|0x04, 64, 48), icc, vp8(64, 48), exif, xmp, webpChunk("what", secret)), secret...))
	require.Equal(t, imagemeta.WebP, mediaType)
	require.Equal(t, riff(vp8x(0x20, 64, 48), icc, vp8(64, 48)), cleaned)
	for _, plain := range [][]byte{riff(vp8(64, 48)), riff(vp8l(64, 48)), riff(vp8x(0x10, 64, 48), webpChunk("ALPH", "alpha"), vp8(64, 48))} {
		_, cleaned := clean(t, plain)
		require.Equal(t, plain, cleaned)
	}
	refuses(t, riff(vp8x(0x02, 64, 48), webpChunk("ANIM", "123456"), webpChunk("ANMF", "...")), imagemeta.ErrAnimated)
	refuses(t, riff(vp8(64, 48), webpChunk("ANMF", "...")), imagemeta.ErrAnimated)
}

func TestPDF(t *testing.T) {
	t.Parallel()
	file := []byte("%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\nstartxref\n0\n%%EOF\n")
	mediaType, cleaned := clean(t, file)
	require.Equal(t, imagemeta.PDF, mediaType)
	require.Equal(t, file, cleaned)
	refuses(t, file[:20], imagemeta.ErrDamaged)
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"nothing": "", "a page": "<!doctype html><script>alert(1)</script>", "a vector": "<svg xmlns='http://www.w3.org/2000/svg'/>",
		"an archive": "PK\x03\x04", "a GIF": "GIF89a\x01\x00\x01\x00", "sound": "RIFF\x04\x00\x00\x00WAVE", "AVIF": "\x00\x00\x00\x18ftypavif",
	} {
		t.Run(name, func(t *testing.T) { refuses(t, []byte(file), imagemeta.ErrUnknownType) })
	}
	for name, file := range map[string]string{
		"a page behind a JPEG's beginning": "\xff\xd8\xff<!doctype html><script>alert(1)</script>",
		"a JPEG without a picture":         "\xff\xd8\xff\xd9",
		"a PNG without a header":           "\x89PNG\r\n\x1a\n" + chunk("IDAT", "x") + chunk("IEND", ""),
		"a PNG without a picture":          string(pngFile(t)[:headerEnd]) + chunk("IEND", ""),
		"a PNG with two headers":           string(pngFile(t)[:headerEnd]) + string(pngFile(t)[8:]),
		"a WebP without a picture":         string(riff(vp8x(0, 64, 48))),
		"a WebP that is sound":             string(riff(webpChunk("VP8 ", "not a frame header"))),
	} {
		t.Run(name, func(t *testing.T) { refuses(t, []byte(file), imagemeta.ErrDamaged) })
	}
	many := string(jpegFile(t)[:2]) + strings.Repeat(segment(0xDB, "")+segment(0xFE, ""), 20_000) + string(jpegFile(t)[2:])
	refuses(t, []byte(many), imagemeta.ErrDamaged)
}

// TestCutShort: no beginning of a file passes for the whole.
func TestCutShort(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"JPEG": jpegFile(t), "PNG": pngFile(t), "WebP": riff(vp8x(0x08, 64, 48), vp8(64, 48), webpChunk("EXIF", secret)),
	} {
		t.Run(name, func(t *testing.T) {
			for n := 12; n < len(file); n++ {
				refuses(t, file[:n], imagemeta.ErrDamaged)
			}
		})
	}
}

// TestPixelBomb: a few bytes that would be gigabytes are refused by their header.
func TestPixelBomb(t *testing.T) {
	t.Parallel()
	fits, bombs := map[string][]byte{
		"JPEG": withJPEGSize(jpegFile(t), 10_000, 5_000), "PNG": withPNGSize(pngFile(t), 5_000, 10_000), "VP8": riff(vp8(10_000, 5_000)),
		"VP8L": riff(vp8l(5_000, 10_000)), "VP8X": riff(vp8x(0, 10_000, 5_000), vp8(64, 48)),
	}, map[string][]byte{
		"JPEG": withJPEGSize(jpegFile(t), 65_535, 65_535), "JPEG by a row": withJPEGSize(jpegFile(t), 10_000, 5_001),
		"PNG": withPNGSize(pngFile(t), 1<<31-1, 1<<31-1), "VP8": riff(vp8(16_383, 16_383)),
		"VP8L": riff(vp8l(16_384, 16_384)), "VP8X": riff(vp8x(0, 1<<24, 1<<24), vp8(64, 48)),
	}
	for name, file := range fits {
		t.Run(name+" fits", func(t *testing.T) { clean(t, file) })
	}
	for name, file := range bombs {
		t.Run(name, func(t *testing.T) { refuses(t, file, imagemeta.ErrTooManyPixels) })
	}
	refuses(t, withJPEGSize(jpegFile(t), 0, 10), imagemeta.ErrDamaged)
	refuses(t, withPNGSize(pngFile(t), 10, 0), imagemeta.ErrDamaged)
}

// TestMemory measures what a file of ten megabytes takes: about as much as a small
// one. It runs alone, because the measure is the process's.
func TestMemory(t *testing.T) {
	plain := jpegFile(t)
	scan := bytes.LastIndex(plain, []byte{0xFF, 0xD9})
	file := append(append(bytes.Clone(plain[:scan]), bytes.Repeat([]byte("picture "), 10<<20/8)...), 0xFF, 0xD9)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := imagemeta.Clean(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, f)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.EqualValues(t, len(file), n)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// FuzzClean: whatever comes in, what goes out is clean, or refused.
func FuzzClean(f *testing.F) {
	wide, long := heicPhoto(), heicPhoto()
	wide.wide, wide.refs = true, nil
	wide.items[0].kind, wide.items[0].inIdat, wide.items[0].props = "hvc1", false, []byte{propSize, propConfig}
	long.mdat = longBox
	encoded, err := os.ReadFile("testdata/photo.heic")
	require.NoError(f, err)
	for _, file := range [][]byte{
		jpegFile(f), pngFile(f), riff(vp8x(0x08, 64, 48), vp8(64, 48), webpChunk("EXIF", secret)), riff(vp8l(64, 48)), []byte("%PDF-%%EOF"),
		heicPhoto().build(), wide.build(), long.build(), encoded,
		append(jpegFile(f)[:2:2], segment(0xE1, exif(binary.LittleEndian, "II", 6))+string(jpegFile(f)[2:])...),
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := imagemeta.Clean(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		cleaned, err := io.ReadAll(file)
		require.NoError(t, err)
		require.EqualValues(t, file.Size, len(cleaned))
		again, err := imagemeta.Clean(bytes.NewReader(cleaned), int64(len(cleaned)))
		require.NoError(t, err)
		same, err := io.ReadAll(again)
		require.NoError(t, err)
		require.Equal(t, cleaned, same)
	})
}
