// Package imports takes spreadsheets of units and tenants into a landlord's books.
package imports

import (
	"slices"

	"rowhouse/internal/csvfile"
)

// Kind is what the rows of a file are.
type Kind string

// The kinds of files.
const (
	Units     Kind = "units"
	Tenants   Kind = "tenants"
	Portfolio Kind = "portfolio" // a unit in each row, and a tenant if somebody lives there
)

// Fields are those that a file of this kind can have.
func (k Kind) Fields() []csvfile.Field {
	switch k {
	case Units:
		return append([]csvfile.Field{named("unit", "name", "unit name", "bezeichnung", "nom", "nombre", "naam")}, unitFields...)
	case Tenants:
		return slices.Concat(tenantFields, placeFields, []csvfile.Field{fullName})
	case Portfolio:
		return slices.Concat(tenantFields, placeFields[1:], []csvfile.Field{fullName}, unitFields[1:])
	}
	return nil
}

func named(name string, synonyms ...string) csvfile.Field {
	return csvfile.Field{Name: name, Synonyms: append(synonyms, words[name]...)}
}

// words are what columns are called in the spreadsheets of landlords: English, German,
// French, Spanish, Dutch, Italian.
var words = map[string][]string{
	"unit": {
		"unit no", "unit number", "apartment", "apartment number", "apt", "apt no", "flat", "flat no", "suite", "door",
		"einheit", "wohnung", "wohnungsnummer", "whg", "whg nr", "mieteinheit", "mietobjekt",
		"logement", "appartement", "lot", "unidad", "piso", "apartamento", "vivienda", "woning", "eenheid", "unita", "appartamento",
	},
	"propertyName": {
		"property", "building", "building name", "house name", "estate", "objekt", "gebäude", "haus", "liegenschaft", "anlage",
		"immeuble", "bâtiment", "résidence", "edificio", "inmueble", "gebouw", "pand", "complex", "immobile", "stabile",
	},
}

var propertyName = named("propertyName")

var unitFields = []csvfile.Field{
	propertyName,
	{Name: "kind", Synonyms: []string{"unit type", "type", "property type", "art", "typ", "objektart", "soort", "tipo"}},
	{Name: "status", Synonyms: []string{"state of letting", "occupancy", "vermietung", "belegung", "statut", "estado de alquiler"}},
	{Name: "address1", Synonyms: []string{
		"address", "address line 1", "street", "street address", "strasse", "straße", "anschrift", "adresse", "rue",
		"calle", "dirección", "straat", "adres", "via", "indirizzo",
	}},
	{Name: "address2", Synonyms: []string{"address line 2", "address 2", "adresszusatz", "zusatz", "complément", "complément d'adresse", "toevoeging"}},
	{Name: "city", Synonyms: []string{"town", "ort", "stadt", "ville", "ciudad", "plaats", "stad", "woonplaats", "città", "comune"}},
	{Name: "state", Synonyms: []string{"province", "region", "county", "bundesland", "kanton", "provincia", "provincie"}},
	{Name: "postalCode", Synonyms: []string{"zip", "zip code", "postcode", "post code", "plz", "postleitzahl", "code postal", "cp", "código postal", "cap"}},
	{Name: "country", Synonyms: []string{"country code", "land", "pays", "país", "paese"}},
	{Name: "bedrooms", Synonyms: []string{"beds", "br", "schlafzimmer", "chambres", "dormitorios", "habitaciones", "slaapkamers", "camere"}},
	{Name: "bathrooms", Synonyms: []string{"baths", "ba", "badezimmer", "bäder", "salles de bain", "baños", "badkamers", "bagni"}},
	{Name: "areaM2", Synonyms: []string{
		"area", "area m2", "sqm", "m2", "square metres", "square meters", "size m2", "fläche", "fläche m2", "fläche in m2",
		"wohnfläche", "wohnfläche m2", "surface", "surface m2", "superficie", "superficie m2", "oppervlakte",
	}},
	{Name: "unitRef", Synonyms: []string{"external ref", "reference", "ref", "objektnummer", "référence", "referencia", "referentie"}},
}

var fullName = csvfile.Field{Name: "fullName", Synonyms: []string{
	"name", "full name", "tenant", "tenant name", "resident", "mieter", "mietername", "nom complet", "locataire",
	"nombre completo", "inquilino", "huurder", "volledige naam", "nominativo",
}}

var tenantFields = []csvfile.Field{
	{Name: "firstName", Synonyms: []string{
		"first", "first name", "given name", "forename", "christian name", "tenant first name", "vorname", "prénom", "nombre", "voornaam", "nome",
	}},
	{Name: "lastName", Synonyms: []string{
		"last", "last name", "surname", "family name", "tenant last name", "nachname", "familienname", "zuname", "nom", "nom de famille",
		"apellido", "apellidos", "achternaam", "cognome",
	}},
	{Name: "email", Synonyms: []string{
		"e-mail", "email address", "e-mail address", "mail", "tenant email", "e-mail-adresse", "mailadresse", "courriel", "adresse e-mail",
		"correo", "correo electrónico", "e-mailadres", "posta elettronica",
	}},
	{Name: "phone", Synonyms: []string{
		"phone number", "telephone", "tel", "mobile", "mobile phone", "cell", "cell phone", "telefon", "telefonnummer", "handy", "mobil",
		"téléphone", "portable", "teléfono", "móvil", "telefoon", "telefoonnummer", "mobiel", "telefono", "cellulare",
	}},
	{Name: "tenantRef", Synonyms: []string{"tenant reference", "tenant id", "mieternummer", "external ref", "reference"}},
	{Name: "notes", Synonyms: []string{"note", "comment", "comments", "remarks", "notizen", "bemerkung", "bemerkungen", "remarques", "notas", "opmerkingen", "note interne"}},
	{Name: "startDate", Synonyms: []string{
		"start", "lease start", "move in", "move-in date", "from", "mietbeginn", "einzug", "einzugsdatum", "beginn", "début", "début du bail",
		"date d'entrée", "inicio", "fecha de inicio", "ingangsdatum", "begindatum", "inizio",
	}},
	{Name: "endDate", Synonyms: []string{
		"end", "lease end", "move out", "move-out date", "until", "to", "mietende", "auszug", "auszugsdatum", "ende", "fin", "fin du bail",
		"date de sortie", "fecha de fin", "einddatum", "fine",
	}},
}

// placeFields say where a tenant lives: by our id, or by the names of the unit and of
// the property that it stands in.
var placeFields = []csvfile.Field{{Name: "unitId"}, named("unit", "unit name"), propertyName}
