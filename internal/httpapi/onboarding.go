package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine may have no time zones

	"github.com/danielgtaylor/huma/v2"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// The steps of setting up, in their order. The database counts them from 1.
const (
	stepCompany = "company" // who you are
	stepSize    = "size"    // how many units there are
	stepUnits   = "units"
	stepTenants = "tenants"
	stepInvites = "invites" // look it over and invite
	stepDone    = "done"
)

var steps = []string{stepCompany, stepSize, stepUnits, stepTenants, stepInvites, stepDone}

// stepPath is where the web app shows a step.
func stepPath(step string) string { return "/onboarding/" + step }

// OnboardingData is what a landlord says while setting up.
type OnboardingData struct {
	Step         string  `json:"step" enum:"company,size,units,tenants,invites,done" doc:"Where you go on. A later step skips those before it; one that you have passed changes nothing. company can't be skipped."`
	FullName     *line   `json:"fullName,omitempty" nullable:"true" maxLength:"200" example:"Ada Byron"`
	CompanyName  *line   `json:"companyName,omitempty" nullable:"true" maxLength:"200" example:"Canal House Rentals"`
	Locale       *string `json:"locale,omitempty" nullable:"true" maxLength:"35" pattern:"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" patternDescription:"a language tag of RFC 5646" example:"en-GB"`
	Country      *string `json:"country,omitempty" nullable:"true" pattern:"^[A-Z]{2}$" patternDescription:"two letters of ISO 3166-1" example:"NL"`
	TimeZone     *string `json:"timeZone,omitempty" nullable:"true" maxLength:"64" pattern:"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$" patternDescription:"a name of the IANA time zone database" example:"Europe/Amsterdam"`
	Currency     *string `json:"currency,omitempty" nullable:"true" pattern:"^[A-Z]{3}$" patternDescription:"three letters of ISO 4217" example:"EUR"`
	PlannedUnits *int32  `json:"plannedUnits,omitempty" nullable:"true" minimum:"1" maximum:"100000" example:"12" doc:"About how many units you will manage here"`
}

type onboarding struct {
	OnboardingData
	Path       string           `json:"path" example:"/onboarding/units" doc:"Where the web app shows the step"`
	Required   bool             `json:"required" doc:"Whether landlords' operations answer 403 onboarding_required until the step company is done"`
	Completed  bool             `json:"completed" doc:"Whether there is nothing left to do or skip"`
	SignedUpAs string           `json:"signedUpAs" enum:"OWNER,TENANT" doc:"Who signed up as a TENANT need not be shown this"`
	Steps      []onboardingStep `json:"steps" nullable:"false" doc:"All steps, in their order"`
	Units      int64            `json:"units" example:"3" doc:"How many there are now, without archived ones"`
	Tenants    int64            `json:"tenants" example:"2" doc:"How many there are now, without archived ones"`
	Invites    int64            `json:"invites" example:"1" doc:"How many were sent and not revoked"`
	SampleData bool             `json:"sampleData" doc:"Whether there is sample data to remove"`
}

type onboardingStep struct {
	Step   string `json:"step" enum:"company,size,units,tenants,invites,done"`
	Path   string `json:"path" example:"/onboarding/units" doc:"Where the web app shows it"`
	Passed bool   `json:"passed" doc:"Done or skipped"`
}

// onboardingRoutes are the operations of setting up. They can be left and gone on with
// anywhere: all of it is kept on the server.
func (a *API) onboardingRoutes(api huma.API) {
	get(api, "/onboarding", "getOnboarding", "Show how far you have come in setting up", a.getOnboarding)
	change(api, http.MethodPatch, "/onboarding", "updateOnboarding", "Go on with setting up", a.patchOnboarding)
	a.sampleDataRoutes(api)
}

func (a *API) getOnboarding(ctx context.Context, _ *struct{}) (*shown[onboarding], error) {
	var row query.OnboardingRow
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().Onboarding(ctx, tx)
		return err
	})
	return &shown[onboarding]{ETag: etag(row.User.Version), Body: toOnboarding(row)}, err
}

type patchOnboardingInput struct {
	IfMatch
	Body patch[OnboardingData]
}

func (a *API) patchOnboarding(ctx context.Context, in *patchOnboardingInput) (*shown[onboarding], error) {
	err := a.db.AsUser(ctx, db.ReadWrite, func(tx *db.Tx) error {
		current, err := query.New().UserForUpdate(ctx, tx)
		if err != nil {
			return forbidMissing(err)
		}
		if err := in.check(current.Version); err != nil {
			return err
		}
		data, err := in.Body.apply(toOnboardingData(current))
		if err != nil {
			return err
		}
		step, err := data.goOn(current.OnboardingStep)
		if err != nil {
			return err
		}
		return query.New().UserOnboard(ctx, tx, query.UserOnboardParams{
			FullName: (*string)(data.FullName), CompanyName: (*string)(data.CompanyName), Locale: data.Locale, Country: data.Country,
			TimeZone: data.TimeZone, Currency: data.Currency, PlannedUnits: data.PlannedUnits, OnboardingStep: step,
		})
	})
	if err != nil {
		return nil, err
	}
	return a.getOnboarding(ctx, nil)
}

// goOn returns the number of the step that comes next when all of d is said at the
// step numbered at. To have answered a step's question is to have done it.
func (d OnboardingData) goOn(at int16) (int16, error) {
	if err := checkPlace(d.TimeZone, d.Currency); err != nil {
		return 0, err
	}
	to := max(at, int16(slices.Index(steps, d.Step)+1)) //nolint:gosec // there are six
	if missing := d.missing(); at == 1 && len(missing) > 0 {
		if to > at {
			return 0, errs.New(errs.Invalid, "invalid_request", "Say who you are first; this step can't be skipped.").At(missing...)
		}
		return at, nil
	}
	to = max(to, 2)
	if to == 2 && d.PlannedUnits != nil {
		to = 3
	}
	return to, nil
}

// missing are the members without which the first step is not done.
func (d OnboardingData) missing() (fields []errs.Field) {
	for _, member := range []struct {
		name  string
		there bool
	}{
		{"fullName", d.FullName != nil},
		{"country", d.Country != nil},
		{"timeZone", d.TimeZone != nil},
		{"currency", d.Currency != nil},
	} {
		if !member.there {
			fields = append(fields, errs.Field{Pointer: "/" + member.name, Message: "is required"})
		}
	}
	return fields
}

// checkPlace refuses a time zone or a currency that does not exist, which their
// schemas can't tell.
func checkPlace(timeZone, currency *string) error {
	var fields []errs.Field
	if timeZone != nil && !isTimeZone(*timeZone) {
		fields = append(fields, errs.Field{Pointer: "/timeZone", Message: "is not in the IANA time zone database"})
	}
	if currency != nil && !isCurrency(*currency) {
		fields = append(fields, errs.Field{Pointer: "/currency", Message: "is no currency of ISO 4217"})
	}
	if fields == nil {
		return nil
	}
	return errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").At(fields...)
}

func isTimeZone(name string) bool {
	// Local is this machine's; the others are copies in systems' folders that browsers
	// do not know
	first, _, _ := strings.Cut(name, "/")
	if slices.Contains([]string{"Local", "localtime", "posix", "posixrules", "right", "Factory"}, first) {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// currencies are those of ISO 4217 in use in 2026, without funds, metals and codes for
// tests.
const currencies = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY " +
	"COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR " +
	"ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR " +
	"MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN " +
	"SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"

func isCurrency(code string) bool {
	return slices.Contains(strings.Fields(currencies), code)
}

func toOnboardingData(u query.User) OnboardingData {
	return OnboardingData{
		Step: steps[u.OnboardingStep-1], FullName: (*line)(u.FullName), CompanyName: (*line)(u.CompanyName),
		Locale: u.Locale, Country: u.Country, TimeZone: u.TimeZone, Currency: u.Currency, PlannedUnits: u.PlannedUnits,
	}
}

func toOnboarding(row query.OnboardingRow) onboarding {
	u := row.User
	u.OnboardingStep = max(u.OnboardingStep, 1) // of the zero row, beside an error
	o := onboarding{
		OnboardingData: toOnboardingData(u), Required: u.OnboardingStep == 1, Completed: u.OnboardingCompleted,
		SignedUpAs: u.SignedUpAs, Units: row.Units, Tenants: row.Tenants, Invites: row.Invites, SampleData: row.SampleData,
	}
	o.Path = stepPath(o.Step)
	for i, step := range steps {
		o.Steps = append(o.Steps, onboardingStep{Step: step, Path: stepPath(step), Passed: i+1 < int(u.OnboardingStep) || u.OnboardingCompleted})
	}
	return o
}
