package imports

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// address is what the API takes for an e-mail address.
var address = func() *regexp.Regexp {
	const part = `[^\p{Cc}\p{Z}@.,:;<>()\[\]\\"]+`
	return regexp.MustCompile(`^` + part + `(\.` + part + `)*@` + part + `(\.` + part + `)+$`)
}()

func email(text string) (string, *Problem) {
	text = strings.TrimPrefix(strings.ToLower(text), "mailto:")
	if utf8.RuneCountInString(text) > 320 || !address.MatchString(text) {
		return "", &Problem{Code: CodeEmail, Message: "This is not an e-mail address."}
	}
	return text, nil
}

// date reads a day as it is written in a country where that can be told. 3/4/2026 is
// two days, and which was meant only its writer knows.
func date(text string) (string, *Problem) {
	for _, layout := range []string{time.DateOnly, "2006/1/2", "2.1.2006", "2 January 2006", "January 2, 2006", "2 Jan 2006", "Jan 2, 2006"} {
		if day, err := time.Parse(layout, text); err == nil {
			return inReason(day)
		}
	}
	slashed := strings.ReplaceAll(text, "-", "/")
	dayFirst, err1 := time.Parse("2/1/2006", slashed)
	monthFirst, err2 := time.Parse("1/2/2006", slashed)
	switch {
	case err1 == nil && err2 == nil && !dayFirst.Equal(monthFirst):
		return "", &Problem{Code: CodeDate, Message: "This can be two days. Write it as 2026-03-31."}
	case err1 == nil:
		return inReason(dayFirst)
	case err2 == nil:
		return inReason(monthFirst)
	}
	return "", &Problem{Code: CodeDate, Message: "This is not a date. Write it as 2026-03-31."}
}

func inReason(day time.Time) (string, *Problem) {
	if day.Year() < 1900 || day.Year() > 2199 {
		return "", &Problem{Code: CodeDate, Message: "This day is too far away."}
	}
	return day.Format(time.DateOnly), nil
}

var (
	unitOfArea = regexp.MustCompile(`(?i)\s*(m²|m2|qm|sqm|sq\.? ?m\.?)$`)
	whole      = regexp.MustCompile(`^\d+$`)
	decimal    = regexp.MustCompile(`^(\d+)[.,](\d+)$`)
	grouped    = regexp.MustCompile(`^(\d{1,3})((?:,\d{3})+)(?:\.(\d+))?$|^(\d{1,3})((?:\.\d{3})+)(?:,(\d+))?$|^(\d{1,3})((?:[ ']\d{3})+)(?:[.,](\d+))?$`)
)

// number reads a number with a point or a comma in it. 1.234 is two numbers, and is
// refused; 0.125 and 1.234,5 are one.
func number(field, text string) (string, *Problem) {
	if field == "areaM2" {
		text = unitOfArea.ReplaceAllString(text, "")
	}
	digits := ""
	switch m := decimal.FindStringSubmatch(text); {
	case whole.MatchString(text):
		digits = text
	case m != nil && (len(m[2]) != 3 || strings.TrimLeft(m[1], "0") == ""):
		digits = m[1] + "." + m[2]
	case m != nil && len(m[1]) <= 3:
		return "", &Problem{Code: CodeNumber, Message: "This can be two numbers. Write thousands without a sign between."}
	default:
		g := grouped.FindStringSubmatch(text)
		if g == nil {
			return "", &Problem{Code: CodeNumber, Message: "This is not a number."}
		}
		digits = strings.NewReplacer(",", "", ".", "", " ", "", "'", "").Replace(g[1] + g[2] + g[4] + g[5] + g[7] + g[8])
		if fraction := g[3] + g[6] + g[9]; fraction != "" {
			digits += "." + fraction
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return "", &Problem{Code: CodeNumber, Message: "This is not a number."}
	}
	switch {
	case field == "bedrooms" && (n > 99 || n != math.Trunc(n)):
		return "", &Problem{Code: CodeNumber, Message: "This must be a whole number up to 99."}
	case field == "bathrooms" && (n > 99 || 2*n != math.Trunc(2*n)):
		return "", &Problem{Code: CodeNumber, Message: "This must be a number of halves up to 99."}
	case field == "areaM2" && n > 999_999:
		return "", &Problem{Code: CodeNumber, Message: "This must be a number up to 999999."}
	}
	return strconv.FormatFloat(math.Round(n*100)/100, 'f', -1, 64), nil
}

// choices are, for each field, the values that are kept and what people write for them.
var choices = map[string]map[string][]string{
	"kind": {
		"apartment": {"flat", "apt", "wohnung", "appartement", "piso", "apartamento", "appartamento", "woning"},
		"house":     {"haus", "maison", "casa", "huis", "villa", "townhouse", "einfamilienhaus"},
		"room":      {"zimmer", "chambre", "habitación", "kamer", "stanza", "studio"},
		"parking":   {"parking space", "garage", "stellplatz", "parkplatz", "tiefgarage", "carport", "box"},
		"storage":   {"keller", "lager", "cave", "trastero", "berging", "cellar"},
		"office":    {"büro", "bureau", "oficina", "kantoor", "ufficio"},
		"shop":      {"store", "retail", "laden", "boutique", "winkel", "negozio"},
		"other":     {"sonstiges", "autre", "otro", "overig", "altro"},
	},
	"status": {
		"VACANT":     {"empty", "free", "leer", "frei", "leerstand", "libre", "vide", "leeg", "vuoto"},
		"OCCUPIED":   {"let", "rented", "vermietet", "bewohnt", "loué", "occupé", "alquilado", "ocupado", "verhuurd", "affittato"},
		"NOTICE":     {"on notice", "notice given", "gekündigt", "opgezegd"},
		"OFF_MARKET": {"off market", "not available", "nicht verfügbar", "eigennutzung"},
	},
	"country": {
		"AT": {"austria", "österreich"}, "BE": {"belgium", "belgië", "belgique"}, "CA": {"canada"},
		"CH": {"switzerland", "schweiz", "suisse"}, "DE": {"germany", "deutschland"}, "DK": {"denmark", "danmark"},
		"ES": {"spain", "españa"}, "FR": {"france"}, "GB": {"united kingdom", "uk", "great britain"}, "IE": {"ireland"},
		"IT": {"italy", "italia"}, "LU": {"luxembourg"}, "NL": {"netherlands", "the netherlands", "nederland"},
		"NO": {"norway", "norge"}, "PL": {"poland", "polska"}, "PT": {"portugal"}, "SE": {"sweden", "sverige"},
		"US": {"united states", "usa"},
	},
}

var isoCountry = regexp.MustCompile(`^[A-Z]{2}$`)

func choice(field, text string) (string, *Problem) {
	word := strings.ToLower(text)
	for value, words := range choices[field] {
		if word == strings.ToLower(value) || slices.Contains(words, word) {
			return value, nil
		}
	}
	if field == "country" && isoCountry.MatchString(strings.ToUpper(text)) {
		return strings.ToUpper(text), nil
	}
	return "", &Problem{Code: CodeChoice, Message: map[string]string{
		"kind":    "This is none of apartment, house, room, parking, storage, office, shop and other.",
		"status":  "This is none of vacant, occupied, notice and off market.",
		"country": "This is not a country's two letters, such as NL.",
	}[field]}
}
