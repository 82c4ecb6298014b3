package app

import (
	"context"
	"fmt"
	"net"

	"rowhouse/internal/config"
	"rowhouse/internal/mailcatcher"
	"rowhouse/internal/portcheck"
)

// catcher shows the mails of dev instead of delivering them.
type catcher struct {
	*mailcatcher.Catcher
	mails, page net.Listener
}

// openCatcher returns nil when SMTP_URL names a server.
func openCatcher(ctx context.Context, cfg *config.Config) (*catcher, error) {
	if cfg.SMTPURL != "" {
		return nil, nil
	}
	mails, err := portcheck.Listen(ctx, cfg.DevSMTPAddr)
	if err != nil {
		return nil, fmt.Errorf("the mail catcher's port (DEV_SMTP_ADDR): %w", err)
	}
	page, err := portcheck.Listen(ctx, cfg.DevMailAddr)
	if err != nil {
		_ = mails.Close()
		return nil, fmt.Errorf("the mail catcher's page (DEV_MAIL_ADDR): %w", err)
	}
	cfg.SMTPURL = "smtp://" + mails.Addr().String()
	if cfg.MailFrom == "" {
		cfg.MailFrom = "Rowhouse <no-reply@rowhouse.example>"
	}
	return &catcher{mailcatcher.New(mailcatcher.Config{}), mails, page}, nil
}

func (c *catcher) close() {
	if c != nil {
		_, _ = c.mails.Close(), c.page.Close()
	}
}

// run serves until ctx ends.
func (c *catcher) run(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.Serve(ctx, c.mails, c.page)
}

// where says where mails are to be seen.
func (c *catcher) where() string {
	if c == nil {
		return "is sent"
	}
	return localURL(c.page) + " (every mail that is sent, and what each looks like)"
}

func localURL(ln net.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String()) // a listener's address has one
	return "http://localhost:" + port
}

// runWorker does jobs beside the API of dev.
func runWorker(ctx context.Context, cfg config.Config) error {
	w, err := newWorker(ctx, cfg)
	if err != nil {
		return err
	}
	defer w.close()
	return w.jobs.Run(ctx, devGrace)
}
