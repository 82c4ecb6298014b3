// Package config reads the environment into one struct, once.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"rowhouse/internal/invitetoken"
	"rowhouse/internal/seal"
	"rowhouse/internal/sealedcookie"
)

// Config is everything that can be set from outside. Each field's doc tag is
// what --help prints.
//
// The default ports lie below those that systems lend to outgoing connections
// (from 32768 on Linux): one of those may be taken at any moment.
type Config struct {
	Addr            string        `env:"ADDR" envDefault:"localhost:8080" doc:"where the API listens"`
	RequestTimeout  time.Duration `env:"REQUEST_TIMEOUT" envDefault:"15s" doc:"how long one request may work"`
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"9s" doc:"how long requests under way may go on after SIGTERM"`
	RatePerMinute   int           `env:"RATE_LIMIT_PER_MINUTE" envDefault:"600" doc:"requests a minute of one user to this process; 0 for no limit"`
	LogLevel        string        `env:"LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error"`
	LogFormat       string        `env:"LOG_FORMAT" envDefault:"text" doc:"text or json"`

	DatabaseURL        string              `env:"DATABASE_URL" secret:"true" doc:"Postgres as rowhouse_api; for dev: as an administrator, instead of the embedded server"`
	MigrateDatabaseURL string              `env:"MIGRATE_DATABASE_URL" secret:"true" doc:"Postgres as rowhouse_migrator or an administrator, for migrate and policy; empty means DATABASE_URL"`
	WorkerDatabaseURL  string              `env:"WORKER_DATABASE_URL" secret:"true" doc:"Postgres as rowhouse_worker, for worker"`
	DatabaseMaxConns   int32               `env:"DATABASE_MAX_CONNS" envDefault:"16" doc:"connections of this process at most"`
	DatabasePooler     bool                `env:"DATABASE_POOLER" envDefault:"false" doc:"true if a transaction pooler stands before Postgres; seals are then bound to their expiry alone"`
	SealKeys           seal.Keyring        `env:"SEAL_KEYS" secret:"true" doc:"id:base64,… keys of 32 to 64 bytes that prove identities to the database; the first signs"`
	InviteKeys         invitetoken.Keyring `env:"INVITE_KEYS" secret:"true" doc:"id:base64,… keys of 32 to 64 bytes that the tokens of tenants' invites are made with; the same for serve and worker; the first makes them, those after it are kept until no mail waits with them"`
	APIPassword        string              `env:"ROWHOUSE_API_PASSWORD" secret:"true" doc:"password that migrate gives to rowhouse_api; empty leaves it"`
	WorkerPassword     string              `env:"ROWHOUSE_WORKER_PASSWORD" secret:"true" doc:"password that migrate gives to rowhouse_worker; empty leaves it"`
	MigratorPassword   string              `env:"ROWHOUSE_MIGRATOR_PASSWORD" secret:"true" doc:"password that migrate gives to rowhouse_migrator; empty leaves it"`

	SupabaseURL     string `env:"SUPABASE_URL" doc:"project URL of Supabase Auth, without /auth/v1"`
	SupabaseAnonKey string `env:"SUPABASE_ANON_KEY" doc:"the project's public API key, for signing in, seed and isolation"`
	JWTIssuer       string `env:"JWT_ISSUER" doc:"iss that tokens must have; empty means SUPABASE_URL/auth/v1"`
	JWTAudience     string `env:"JWT_AUDIENCE" envDefault:"authenticated" doc:"aud that tokens must have"`
	JWKSURL         string `env:"JWKS_URL" doc:"where token keys are published; empty means SUPABASE_URL/auth/v1/.well-known/jwks.json"`
	JWTSecret       string `env:"JWT_SECRET" secret:"true" doc:"legacy shared secret; set only if the project still signs with HS256"`
	EmailsProven    bool   `env:"EMAILS_PROVEN" envDefault:"true" doc:"false if the project lets people in before they have confirmed their address (autoconfirm); invites can then not be claimed"`

	AuthHookSecrets          string `env:"AUTH_HOOK_SECRETS" secret:"true" doc:"v1,whsec_<base64>|…, what Supabase Auth signs its hooks with; without it there are none under /hooks/auth"`
	AuthWebhookSecret        string `env:"AUTH_WEBHOOK_SECRET" secret:"true" doc:"what the project's database webhook brings to /hooks/auth/user-changed as a bearer token, 16 bytes or more; several are divided by |; without it there is none"`
	AuthDatabaseURL          string `env:"AUTH_DATABASE_URL" secret:"true" doc:"auth reconcile: Postgres of Supabase Auth, as a login that may read auth.users"`
	SignupsClosed            bool   `env:"SIGNUPS_CLOSED" envDefault:"false" doc:"true lets nobody sign up but tenants with an invite; asked by the hook before-user-created"`
	DisposableDomainsAllowed bool   `env:"DISPOSABLE_DOMAINS_ALLOWED" envDefault:"false" doc:"true lets people sign up with addresses that are made to be thrown away"`

	PublicURL       string               `env:"PUBLIC_URL" doc:"where people reach the web app, scheme and host alone, as https://rowhouse.example; links of mails lead there, and with SESSION_KEYS it is the one origin whose pages may use the sessions"`
	SessionKeys     sealedcookie.Keyring `env:"SESSION_KEYS" secret:"true" doc:"id:base64,… keys of 32 bytes that encrypt browsers' sessions, the first encrypts; with them people sign in to the web app under /auth, which needs PUBLIC_URL, SUPABASE_URL and SUPABASE_ANON_KEY; empty serves API clients alone"`
	SessionIdle     time.Duration        `env:"SESSION_IDLE" envDefault:"168h" doc:"how long a browser's session lasts that is not used; up to a quarter longer"`
	SessionLifetime time.Duration        `env:"SESSION_LIFETIME" envDefault:"720h" doc:"how long a browser's session lasts at most"`

	SMTPURL           string  `env:"SMTP_URL" secret:"true" doc:"smtp://user:password@host:587, encrypted with STARTTLS, or smtps://…; the server that mail leaves through"`
	MailFrom          string  `env:"MAIL_FROM" doc:"who mail comes from, as Rowhouse <no-reply@rowhouse.example>"`
	MailHookSecret    string  `env:"MAIL_HOOK_SECRET" secret:"true" doc:"bearer token, 32 characters at least, with which the mail provider posts bounces to /hooks/mail/bounced; empty takes none"`
	MailRatePerSecond float64 `env:"MAIL_RATE_PER_SECOND" envDefault:"10" doc:"mails that leave this process in a second at most, as the mail provider allows; 0 for no limit"`

	OverpassURL string `env:"OVERPASS_URL" doc:"interpreter of an OpenStreetMap Overpass server to find contractors with, https or loopback; learns a ticket's category and where the property is, rounded to a kilometre, or its city and postal code; empty asks nobody"`

	StorageDir    string `env:"STORAGE_DIR" doc:"folder for tickets' files; several processes must share it; empty means ROWHOUSE_DIR/files"`
	StorageBucket string `env:"STORAGE_BUCKET" doc:"private bucket of Supabase Storage for tickets' files, instead of a folder; needs SUPABASE_ANON_KEY and the policies that internal/storage describes"`

	DeletionGrace time.Duration `env:"ACCOUNT_DELETION_GRACE" envDefault:"24h" doc:"how long a landlord who deletes their account may think it over: until then nothing is removed"`

	IsolationReportKeys  string        `env:"ISOLATION_REPORT_KEYS" secret:"true" doc:"EC private keys of P-256 in PEM, one after another, for the isolation report; the first signs, all are published; empty leaves it unsigned"`
	IsolationProbeReport string        `env:"ISOLATION_PROBE_REPORT" doc:"file that rowhouse isolation --json writes, for the isolation report, in which the probed address stands; empty knows of no probe"`
	IsolationProbeMaxAge time.Duration `env:"ISOLATION_PROBE_MAX_AGE" envDefault:"3h" doc:"how old that file's run may be before the isolation report says that it is too long ago"`

	CanaryAPassword string `env:"ROWHOUSE_CANARY_A_PASSWORD" secret:"true" doc:"isolation: password of --landlord-a"`
	CanaryBPassword string `env:"ROWHOUSE_CANARY_B_PASSWORD" secret:"true" doc:"isolation: password of --landlord-b"`

	Token string `env:"ROWHOUSE_TOKEN" secret:"true" doc:"import: your access token, unless --token-file names a file with it"`

	DevDir          string `env:"ROWHOUSE_DIR" envDefault:".rowhouse" doc:"dev: where data and generated secrets are kept"`
	DevPostgresPort int    `env:"DEV_POSTGRES_PORT" envDefault:"5499" doc:"dev: port of the embedded Postgres"`
	DevAuthAddr     string `env:"DEV_AUTH_ADDR" envDefault:"localhost:9999" doc:"dev: where the stand-in for Supabase Auth listens; loopback only"`
	DevSMTPAddr     string `env:"DEV_SMTP_ADDR" envDefault:"localhost:1025" doc:"dev: where the mail catcher takes mails, unless SMTP_URL is set; loopback only"`
	DevMailAddr     string `env:"DEV_MAIL_ADDR" envDefault:"localhost:8025" doc:"dev: where the mail catcher shows them"`
	PGBin           string `env:"PG_BIN" doc:"dev: folder of a Postgres server's programs; empty looks for an installed one, then downloads one"`
}

// Load reads the process's environment. A secret NAME may also come as
// NAME_FILE, a path to read it from. The error names every variable at fault,
// and the value of no secret.
func Load() (Config, error) {
	environment := env.ToMap(os.Environ())
	for _, v := range Variables() {
		path, ok := environment[v.Name+"_FILE"]
		if !v.Secret || !ok {
			continue
		}
		secret, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return Config{}, fmt.Errorf("%s_FILE: %w", v.Name, err)
		}
		environment[v.Name] = strings.TrimSpace(string(secret))
	}
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: environment})
	if err != nil {
		return Config{}, nameVariables(err)
	}
	if cfg.StorageDir == "" {
		cfg.StorageDir = filepath.Join(cfg.DevDir, "files")
	}
	if cfg.MigrateDatabaseURL == "" {
		cfg.MigrateDatabaseURL = cfg.DatabaseURL
	}
	cfg.useSupabase(cfg.SupabaseURL)
	return cfg, nil
}

// nameVariables says which variables are at fault, where the library knows the
// struct's fields.
func nameVariables(err error) error {
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return fmt.Errorf("environment: %w", err)
	}
	named := make([]error, len(all.Errors))
	for i, one := range all.Errors {
		named[i] = one
		if parse, ok := errors.AsType[env.ParseError](one); ok {
			if field, ok := reflect.TypeFor[Config]().FieldByName(parse.Name); ok {
				named[i] = fmt.Errorf("%s: %w", field.Tag.Get("env"), parse.Err)
			}
		}
	}
	return errors.Join(named...)
}

func (c *Config) useSupabase(url string) {
	if url == "" {
		return
	}
	issuer := strings.TrimRight(url, "/") + "/auth/v1"
	if c.JWTIssuer == "" {
		c.JWTIssuer = issuer
	}
	if c.JWKSURL == "" {
		c.JWKSURL = issuer + "/.well-known/jwks.json"
	}
}

// WithSupabase returns c for another project, for dev's own, which has no buckets.
func (c Config) WithSupabase(url, anonKey string) Config {
	c.SupabaseURL, c.SupabaseAnonKey, c.JWTIssuer, c.JWKSURL, c.JWTSecret = url, anonKey, "", "", ""
	c.StorageBucket = ""
	c.useSupabase(url)
	return c
}

// Passwords returns those to set, by login role.
func (c Config) Passwords() map[string]string {
	passwords := map[string]string{}
	for role, password := range map[string]string{
		"rowhouse_api": c.APIPassword, "rowhouse_worker": c.WorkerPassword, "rowhouse_migrator": c.MigratorPassword,
	} {
		if password != "" {
			passwords[role] = password
		}
	}
	return passwords
}

// Require fails naming those of the variables that are not set.
func (c Config) Require(names ...string) error {
	value := reflect.ValueOf(c)
	var missing []error
	for i := range value.NumField() {
		name := value.Type().Field(i).Tag.Get("env")
		for _, required := range names {
			if name == required && value.Field(i).IsZero() {
				missing = append(missing, fmt.Errorf("%s is not set", name))
			}
		}
	}
	return errors.Join(missing...)
}

// Variable describes one environment variable.
type Variable struct {
	Name, Default, Doc string
	Secret             bool // may come as NAME_FILE
}

// Variables lists what Load reads, in the order of Config.
func Variables() []Variable {
	var variables []Variable
	for field := range reflect.TypeFor[Config]().Fields() {
		variables = append(variables, Variable{
			Name: field.Tag.Get("env"), Default: field.Tag.Get("envDefault"),
			Doc: field.Tag.Get("doc"), Secret: field.Tag.Get("secret") == "true",
		})
	}
	return variables
}
