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
// none: a hook of the identity provider may have been missed.
type profiles struct {
	db *db.DB
	// known remembers who has one, so that only the first request of each user to
	// this process asks the database. It grants nothing.
	known *lru.Cache[uuid.UUID, struct{}]
}

func newProfiles(d *db.DB) *profiles {
	known, err := lru.New[uuid.UUID, struct{}](10_000)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return &profiles{db: d, known: known}
}

func (p *profiles) ensure(ctx context.Context) error {
	id, _ := auth.From(ctx)
	if p.known.Contains(id.UserID) {
		return nil
	}
	// as old as the token: it changes no profile that is there
	err := accounts.Keep(ctx, p.db, accounts.Account{ID: id.UserID, Email: id.Email})
	if err == nil {
		p.known.Add(id.UserID, struct{}{})
	}
	return err
}

// ProfileData is what people say of themselves.
type ProfileData struct {
	FullName    *line   `json:"fullName,omitempty" nullable:"true" maxLength:"200" example:"Ada Byron"`
	CompanyName *line   `json:"companyName,omitempty" nullable:"true" maxLength:"200" example:"Canal House Rentals"`
	Phone       *line   `json:"phone,omitempty" nullable:"true" maxLength:"50" example:"+31 30 123 4567"`
	Locale      *string `json:"locale,omitempty" nullable:"true" maxLength:"35" pattern:"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" patternDescription:"a language tag of RFC 5646" example:"en-GB"`
	TimeZone    *string `json:"timeZone,omitempty" nullable:"true" maxLength:"64" pattern:"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$" patternDescription:"a name of the IANA time zone database" example:"Europe/Amsterdam"`
	Currency    *string `json:"currency,omitempty" nullable:"true" pattern:"^[A-Z]{3}$" patternDescription:"three letters of ISO 4217" example:"EUR"`
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
		roles = is
		row, err = query.New().UserUpdate(ctx, tx, query.UserUpdateParams{
			FullName: (*string)(data.FullName), CompanyName: (*string)(data.CompanyName), Phone: (*string)(data.Phone),
			Locale: data.Locale, TimeZone: data.TimeZone, Currency: data.Currency,
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
			Locale: u.Locale, TimeZone: u.TimeZone, Currency: u.Currency,
		},
		Roles: roles, Version: u.Version, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}
