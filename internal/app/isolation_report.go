package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"rowhouse/internal/config"
	"rowhouse/internal/isolationreport"
)

// isolationReporter makes what reports on how landlords are kept apart.
func isolationReporter(cfg config.Config, version string) (*isolationreport.Reporter, error) {
	var keys isolationreport.Keys
	if cfg.IsolationReportKeys == "" {
		slog.Warn("ISOLATION_REPORT_KEYS is not set: the isolation report is not signed")
	} else {
		var err error
		if keys, err = isolationreport.ParseKeys(cfg.IsolationReportKeys); err != nil {
			return nil, fmt.Errorf("ISOLATION_REPORT_KEYS: %w", err)
		}
	}
	database, err := reportDatabase(cfg)
	if err != nil {
		return nil, err
	}
	return isolationreport.New(isolationreport.Config{
		DatabaseURL: database, Version: version, Keys: keys,
		ProbeFile: cfg.IsolationProbeReport, ProbeMaxAge: cfg.IsolationProbeMaxAge,
	}), nil
}

// reportDatabase is DATABASE_URL. Behind a transaction pooler, statements are not
// prepared by name.
func reportDatabase(cfg config.Config) (string, error) {
	if !cfg.DatabasePooler {
		return cfg.DatabaseURL, nil
	}
	u, err := url.Parse(cfg.DatabaseURL)
	if err != nil {
		return "", errors.New("DATABASE_URL: not a valid Postgres URL") // the cause would quote the password
	}
	parameters := u.Query()
	parameters.Set("default_query_exec_mode", "cache_describe")
	u.RawQuery = parameters.Encode()
	return u.String(), nil
}
