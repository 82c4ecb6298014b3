// Drives a running auth server with the official client: node life.mjs <url> <key>.
// Exits with 1 at the first thing that is not as against the real service.
import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

const [url, key] = process.argv.slice(2);
assert.ok(url && key, "usage: node life.mjs <url> <anon key>");

const options = { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } };
const supabase = createClient(url, key, options);
const email = "Jo.Landlord@example.com";
const password = "correct horse";

const done = (answer) => {
  assert.equal(answer.error, null, answer.error?.message);
  return answer.data;
};
const refused = (answer, status, code) => {
  assert.ok(answer.error, `expected ${code}, got success`);
  assert.deepEqual([answer.error.status, answer.error.code], [status, code]);
};
// The client turns session_not_found into an error of its own.
const signedOut = (answer) => assert.equal(answer.error?.name, "AuthSessionMissingError");

// Sign up: confirmed at once, so a session comes with it.
const fresh = done(await supabase.auth.signUp({ email, password, options: { data: { full_name: "Jo" } } }));
assert.equal(fresh.user.email, "jo.landlord@example.com");
assert.equal(fresh.user.role, "authenticated");
assert.equal(fresh.user.identities.length, 1);
assert.ok(fresh.session.access_token);
refused(await createClient(url, key, options).auth.signUp({ email, password }), 422, "user_already_exists");
refused(await createClient(url, key, options).auth.signUp({ email: "x@example.com", password: "short" }), 422, "weak_password");

// Sign in.
refused(await supabase.auth.signInWithPassword({ email, password: "wrong horse" }), 400, "invalid_credentials");
const { session } = done(await supabase.auth.signInWithPassword({ email, password }));
assert.equal(session.token_type, "bearer");
assert.match(session.refresh_token, /^[a-z0-9]{12}$/);

// The token verifies against the published keys, in the client itself.
const { claims } = done(await supabase.auth.getClaims());
assert.equal(claims.sub, fresh.user.id);
assert.equal(claims.iss, `${url}/auth/v1`);
assert.equal(claims.aud, "authenticated");

// Refresh; the direct parent yields the same successor again.
const renewed = done(await supabase.auth.refreshSession()).session;
assert.notEqual(renewed.refresh_token, session.refresh_token);
const again = done(await createClient(url, key, options).auth.refreshSession({ refresh_token: session.refresh_token })).session;
assert.equal(again.refresh_token, renewed.refresh_token);

// Who am I, and change it.
const me = done(await supabase.auth.getUser()).user;
assert.equal(me.id, fresh.user.id);
assert.equal(me.user_metadata.full_name, "Jo");
const changed = done(await supabase.auth.updateUser({ data: { full_name: "Jo Landlord" } })).user;
assert.equal(changed.user_metadata.full_name, "Jo Landlord");
refused(await supabase.auth.updateUser({ password }), 422, "same_password");

// Recover answers the same for strangers.
assert.deepEqual(done(await supabase.auth.resetPasswordForEmail("nobody@example.com")), {});

// Sign out, here only: the other session lives on.
const elsewhere = createClient(url, key, options);
done(await elsewhere.auth.signInWithPassword({ email, password }));
done(await supabase.auth.signOut({ scope: "local" }));
signedOut(await supabase.auth.getUser(renewed.access_token));
refused(await supabase.auth.refreshSession({ refresh_token: renewed.refresh_token }), 400, "refresh_token_not_found");
assert.equal(done(await elsewhere.auth.getUser()).user.id, fresh.user.id);
done(await elsewhere.auth.signOut());
signedOut(await elsewhere.auth.getUser(fresh.session.access_token));

console.log("supabase-js: sign up, sign in, refresh, claims, user, update, sign out");
