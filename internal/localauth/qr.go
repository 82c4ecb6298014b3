package localauth

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

const (
	qrModule = 3 // pixels of a module's side
	qrMargin = 4 // modules around the code
)

// qrSVG draws text as a QR code with one rectangle per module, light ones too:
// an answer of some 400 KB, as the real service sends it.
func qrSVG(text string) (string, error) {
	code, err := qr.Encode(text, qr.H, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	modules := code.Bounds().Dx()
	side := (modules + 2*qrMargin) * qrModule
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\"?>\n<svg width=\"%d\" height=\"%[1]d\"\n     xmlns=\"http://www.w3.org/2000/svg\"\n     xmlns:xlink=\"http://www.w3.org/1999/xlink\">\n", side)
	for y := range modules {
		for x := range modules {
			fill := "white"
			if code.At(x, y) == color.Black {
				fill = "black"
			}
			fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%[3]d\" style=\"fill:%[4]s;stroke:none\" />\n",
				(x+qrMargin)*qrModule, (y+qrMargin)*qrModule, qrModule, fill)
		}
	}
	b.WriteString("</svg>\n")
	return b.String(), nil
}
