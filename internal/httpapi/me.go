package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"rowhouse/internal/accounts"
	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// profiles makes a profile for everybody who comes with a verified token and has
// none: a hook of the identity provider may have been missed. And it knows who has said
// who they are, which landlords do before anything else.
type profiles struct {
	db *db.DB
	// known remembers who has a profile and who has said who they are, so that only the
	// first request of each user to this process asks the database. It grants nothing.
	// Neither is ever taken back while the account lasts; when it has gone, what is
	// remembered of it goes within profileTTL.
	known *lru.Cache[uuid.UUID, standing]
}

// standing is how somebody stands with us before they do anything.
type standing struct {
	accounts.Standing // that they rent is not remembered
	until             time.Time
}

const profileTTL = 5 * time.Minute

func newProfiles(d *db.DB) *profiles {
	known, err := lru.New[uuid.UUID, standing](10_000)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &profiles{db: d, known: known}
}

// of returns how the caller stands, and makes their profile if there is none. What
// does not matter unless they are asked who they are it may leave out.
func (p *profiles) of(ctx context.Context, asked bool) (standing, error) {
	id, _ := auth.From(ctx)
	if s, ok := p.known.Get(id.UserID); ok && (s.Onboarded || !asked) && time.Now().Before(s.until) {
		return s, nil
	}
	// as old as the token: it changes no profile that is there
	found, err := accounts.Keep(ctx, p.db, accounts.Account{ID: id.UserID, Email: id.Email})
	if err != nil {
		return standing{}, err
	}
	p.known.Add(id.UserID, standing{Standing: accounts.Standing{Onboarded: found.Onboarded}, until: time.Now().Add(profileTTL)})
	return standing{Standing: found}, nil
}

// ProfileData is what people say of themselves.
type ProfileData struct {
	FullName    *line   `json:"fullName,omitempty" nullable:"true" maxLength:"200" example:"Ada Byron"`
	CompanyName *line   `json:"companyName,omitempty" nullable:"true" maxLength:"200" example:"Canal House Rentals"`
	Phone       *line   `json:"phone,omitempty" nullable:"true" maxLength:"50" example:"+31 30 123 4567"`
	Locale      *string `json:"locale,omitempty" nullable:"true" maxLength:"35" pattern:"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" patternDescription:"a language tag of RFC 5646" example:"en-GB"`
	Country     *string `json:"country,omitempty" nullable:"true" pattern:"^[A-Z]{2}$" patternDescription:"two letters of ISO 3166-1" example:"NL"`
	TimeZone    *string `json:"timeZone,omitempty" nullable:"true" maxLength:"64" pattern:"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$" patternDescription:"a name of the IANA time zone database" example:"Europe/Amsterdam"`
	Currency    *string `json:"currency,omitempty" nullable:"true" pattern:"^[A-Z]{3}$" patternDescription:"three letters of ISO 4217" example:"EUR"`
	RequireMFA  bool    `json:"requireMfa" default:"false" doc:"Whether what deletes rows, gives up your account or opens your books to support is refused to a session without a second factor, with the code mfa_required. Only a session with one can change this."`
}

type profile struct {
	ID    uuid.UUID `json:"id" format:"uuid"`
	Email *string   `json:"email,omitempty" example:"ada@example.com" doc:"As the identity provider knows it"`
	ProfileData
	Roles     []string  `json:"roles" nullable:"false" enum:"OWNER,TENANT,ADMIN" example:"[\"OWNER\"]" doc:"What you are: somebody with units, properties or tenants; somebody's tenant; who runs Rowhouse. No right follows from it."`
	Version   int32     `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

func (a *API) getMe(ctx context.Context, _ *struct{}) (*shown[profile], error) {
	row, roles, err := a.selfWithRoles(ctx)
	return &shown[profile]{ETag: etag(row.Version), Body: toProfile(row, roles)}, err
}

type patchMeInput struct {
	IfMatch
	Body patch[ProfileData]
}

func (a *API) patchMe(ctx context.Context, in *patchMeInput) (*shown[profile], error) {
	var row query.User
	var roles []string
	err := a.db.AsUser(ctx, db.ReadWrite, func(tx *db.Tx) error {
		current, is, err := query.New().UserForUpdateWithRoles(ctx, tx)
		if err != nil {
			return forbidMissing(err)
		}
		if err := in.check(current.Version); err != nil {
			return err
		}
		data, err := in.Body.apply(toProfile(current, nil).ProfileData)
		if err != nil {
			return err
		}
		if err := checkPlace(data.TimeZone, data.Currency); err != nil {
			return err
		}
		roles = is
		row, err = query.New().UserUpdate(ctx, tx, query.UserUpdateParams{
			FullName: (*string)(data.FullName), CompanyName: (*string)(data.CompanyName), Phone: (*string)(data.Phone),
			Locale: data.Locale, Country: data.Country, TimeZone: data.TimeZone, Currency: data.Currency,
			RequireAal2: data.RequireMFA,
		})
		return err
	})
	return &shown[profile]{ETag: etag(row.Version), Body: toProfile(row, roles)}, err
}

func toProfile(u query.User, roles []string) profile {
	return profile{
		ID: u.ID, Email: u.Email,
		ProfileData: ProfileData{
			FullName: (*line)(u.FullName), CompanyName: (*line)(u.CompanyName), Phone: (*line)(u.Phone),
			Locale: u.Locale, Country: u.Country, TimeZone: u.TimeZone, Currency: u.Currency,
			RequireMFA: u.RequireAal2,
		},
		Roles: roles, Version: u.Version, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}
