package app

import (
	"cmp"
	"net/http"
	"strings"

	"rowhouse/internal/config"
	"rowhouse/internal/localauth"
)

// devHooks gives the API the secrets by which it knows the stand-in.
func devHooks(cfg config.Config, s secrets) config.Config {
	cfg.AuthHookSecrets = cmp.Or(cfg.AuthHookSecrets, s.AuthHooks)
	cfg.AuthWebhookSecret = cmp.Or(cfg.AuthWebhookSecret, s.AuthWebhook)
	return cfg
}

// hooksOf are the receivers of the API at base, with the secrets that it expects:
// the first of several for the webhook.
func hooksOf(base string, cfg config.Config) (localauth.Hooks, *localauth.Webhook) {
	hook := func(name string) *localauth.Hook {
		return &localauth.Hook{URI: base + "/hooks/auth/" + name, Secrets: cfg.AuthHookSecrets}
	}
	secret, _, _ := strings.Cut(cfg.AuthWebhookSecret, "|")
	return localauth.Hooks{
		BeforeUserCreated: hook("before-user-created"), AfterUserCreated: hook("after-user-created"),
		CustomAccessToken: hook("custom-access-token"), SendEmail: hook("send-email"),
	}, &localauth.Webhook{URL: base + "/hooks/auth/user-changed", Header: http.Header{"Authorization": {"Bearer " + secret}}}
}
