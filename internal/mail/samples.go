package mail

import "time"

// Sample is a mail as it might be, to look at.
type Sample struct {
	Name    string
	Message Message
}

// Samples returns one of every kind of mail.
func Samples() []Sample {
	const to, site, code = "ada@example.com", "https://rowhouse.example", "438205"
	link := func(kind string) AuthLink {
		return AuthLink{To: to, Code: code, Link: site + "/auth/confirm?token_hash=0123456789abcdef0123456789abcdef0123456789abcdef01234567&type=" + kind}
	}
	var all []Sample
	add := func(name string, m Message, err error) {
		if err != nil {
			panic(err) // the samples are good, or a test fails
		}
		all = append(all, Sample{Name: name, Message: m})
	}
	m, err := Confirm("en", link("signup"))
	add("confirm", m, err)
	m, err = Recover("en", link("recovery"))
	add("recover", m, err)
	m, err = Invite("en", link("invite"))
	add("invite", m, err)
	m, err = MagicLink("en", link("magiclink"))
	add("magic_link", m, err)
	m, err = EmailChangeOld("en", link("email_change"), "ada.byron@example.com")
	add("email_change_old", m, err)
	m, err = EmailChangeNew("en", link("email_change"))
	add("email_change_new", m, err)
	m, err = Reauthenticate("en", to, code)
	add("reauthenticate", m, err)
	for _, kind := range Notices() {
		m, err = SecurityNotice("en", kind, to, "", site+"/account")
		add(string(kind), m, err)
	}
	m, err = TenantInvite("en", TenantInvitation{
		To: to, LandlordName: "Canal House Rentals", UnitLabel: "Flat 3, Canal House", ReplyTo: "office@example.com",
		Link: site + "/invite#token", ExpiresAt: time.Date(2027, time.March, 14, 12, 0, 0, 0, time.UTC),
	})
	add("tenant_invite", m, err)
	return all
}
