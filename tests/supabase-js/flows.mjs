// Drives the flows that mails, providers and authenticators take part in:
// node flows.mjs <url> <key> <mailbox>, where GET <mailbox>?to=<address> answers
// with the last mail to it. Sign-ups have to be confirmed.
// Exits with 1 at the first thing that is not as against the real service.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createClient } from "@supabase/supabase-js";

const [url, key, mailbox] = process.argv.slice(2);
assert.ok(url && key && mailbox, "usage: node flows.mjs <url> <anon key> <mailbox>");

const client = (flowType) =>
  createClient(url, key, { auth: { flowType, persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } });
const done = (answer) => {
  assert.equal(answer.error, null, answer.error?.message);
  return answer.data;
};
const refused = (answer, status, code) => {
  assert.ok(answer.error, `expected ${code}, got success`);
  assert.deepEqual([answer.error.status, answer.error.code], [status, code]);
};
const mailTo = async (address) => (await fetch(`${mailbox}?to=${encodeURIComponent(address)}`)).json();
const follow = async (link) => new URL((await fetch(link, { redirect: "manual" })).headers.get("location"));
const email = "jo@example.com";
const password = "correct horse";
const emailRedirectTo = "http://localhost:8080/in";

// PKCE: the link of the mail yields a code for the client that began the flow.
const jo = client("pkce");
assert.equal(done(await jo.auth.signUp({ email, password, options: { emailRedirectTo } })).session, null);
refused(await jo.auth.signInWithPassword({ email, password }), 400, "email_not_confirmed");
const landed = await follow((await mailTo(email)).Link);
assert.equal(landed.origin + landed.pathname, emailRedirectTo);
const code = landed.searchParams.get("code");
assert.ok((await client("pkce").auth.exchangeCodeForSession(code)).error, "another client has no verifier");
assert.equal(done(await jo.auth.exchangeCodeForSession(code)).user.email, email);

// A magic link's code typed in; nobody is created unasked.
const other = client("implicit");
refused(await other.auth.signInWithOtp({ email: "nobody@example.com", options: { shouldCreateUser: false } }), 422, "otp_disabled");
done(await other.auth.signInWithOtp({ email, options: { shouldCreateUser: false } }));
done(await other.auth.verifyOtp({ type: "email", email, token: (await mailTo(email)).Code }));
refused(await client("implicit").auth.signInWithOtp({ email }), 429, "over_email_send_rate_limit");

// Another address: both ends confirm, the first half brings no session.
assert.equal(done(await jo.auth.updateUser({ email: "jo.new@example.com" })).user.new_email, "jo.new@example.com");
const half = done(await client("implicit").auth.verifyOtp({ type: "email_change", token_hash: (await mailTo(email)).TokenHash }));
assert.equal(half.session, null);
const changed = done(await client("implicit").auth.verifyOtp({ type: "email_change", token_hash: (await mailTo("jo.new@example.com")).TokenHash }));
assert.equal(changed.user.email, "jo.new@example.com");

// A second factor.
const totp = (secret) => {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const mac = createHmac("sha1", Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)))).update(counter).digest();
  return ((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1e6).toString().padStart(6, "0");
};
const enrolled = done(await jo.auth.mfa.enroll({ factorType: "totp", friendlyName: "phone" }));
assert.match(enrolled.totp.qr_code, /^data:image\/svg\+xml;utf-8,<\?xml/);
refused(await jo.auth.mfa.challengeAndVerify({ factorId: enrolled.id, code: "x00000" }), 422, "mfa_verification_failed");
done(await jo.auth.mfa.challengeAndVerify({ factorId: enrolled.id, code: totp(enrolled.totp.secret) }));
const level = done(await jo.auth.mfa.getAuthenticatorAssuranceLevel());
assert.deepEqual([level.currentLevel, level.nextLevel], ["aal2", "aal2"]);
assert.equal(done(await jo.auth.mfa.listFactors()).totp.length, 1);
const again = client("implicit");
done(await again.auth.signInWithPassword({ email: "jo.new@example.com", password }));
assert.equal(done(await again.auth.mfa.getAuthenticatorAssuranceLevel()).nextLevel, "aal2");
refused(await again.auth.updateUser({ password: "another horse" }), 401, "insufficient_aal");
done(await jo.auth.mfa.unenroll({ factorId: enrolled.id }));

// An OAuth provider, played by the stand-in's page.
const kay = client("pkce");
const { url: begun } = done(await kay.auth.signInWithOAuth({ provider: "google", options: { redirectTo: emailRedirectTo, skipBrowserRedirect: true } }));
const page = await follow(begun);
const body = new URLSearchParams({ ...Object.fromEntries(page.searchParams), email: "kay@example.com", name: "Kay", verified: "true" });
const consented = await fetch(page.origin + page.pathname, { method: "POST", body, redirect: "manual" });
const arrived = await follow(consented.headers.get("location"));
const { session } = done(await kay.auth.exchangeCodeForSession(arrived.searchParams.get("code")));
assert.equal(session.user.email, "kay@example.com");
assert.ok(session.provider_token);

console.log("supabase-js: PKCE, magic link, change of address, second factor, OAuth");
