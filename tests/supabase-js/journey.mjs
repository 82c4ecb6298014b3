// From signing up to the first unit, with the official client:
// node journey.mjs <url> <key> <api> <email> <password>. Having signed up it prints
// a line and reads one, {"token_hash":…,"type":…} of the mail; at the end it prints
// who it was. Exits with 1 at the first thing that is not as it should be.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { createClient } from "@supabase/supabase-js";

const [url, key, api, email, password] = process.argv.slice(2);
assert.ok(password, "usage: node journey.mjs <url> <anon key> <api> <email> <password>");

const supabase = createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } });
const done = (answer) => {
  assert.equal(answer.error, null, answer.error?.message);
  return answer.data;
};
const ask = async (method, path, body) => {
  const { data } = await supabase.auth.getSession();
  const response = await fetch(api + path, {
    method,
    headers: { authorization: `Bearer ${data.session.access_token}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return [response.status, await response.json()];
};

const signed = done(await supabase.auth.signUp({ email, password, options: { data: { full_name: "Jo" } } }));
assert.equal(signed.session, null, "the address has to be confirmed first");
console.log("signed up");
const lines = createInterface({ input: process.stdin });
const [line] = await new Promise((resolve) => lines.once("line", (text) => resolve([text])));
lines.close();

const confirmed = done(await supabase.auth.verifyOtp(JSON.parse(line)));
assert.equal(confirmed.user.email, email);
done(await supabase.auth.signOut({ scope: "local" }));
const { user } = done(await supabase.auth.signInWithPassword({ email, password }));
done(await supabase.auth.refreshSession());

const [early, problem] = await ask("POST", "/units", { name: "Flat 1" });
assert.deepEqual([early, problem.code], [403, "onboarding_required"]);
const [status, progress] = await ask("PATCH", "/onboarding", {
  fullName: "Jo", companyName: null, country: "NL", timeZone: "Europe/Amsterdam", currency: "EUR", locale: "nl",
});
assert.deepEqual([status, progress.required], [200, false]);
const [made, unit] = await ask("POST", "/units", { name: "Flat 1" });
assert.equal(made, 201);
const [, page] = await ask("GET", "/units");
assert.deepEqual(page.units.map((u) => u.id), [unit.id]);

console.log(JSON.stringify({ ID: user.id, Email: user.email }));
