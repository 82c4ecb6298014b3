// Shows the invite whose token stands behind the # of the page's address, and claims it
// when its holder says so. Opening it changes nothing: mail scanners open links.
"use strict";

const token = location.hash.slice(1);
const api = "/api/v1/invites/" + encodeURIComponent(token);
const element = (id) => document.getElementById(id);
const show = (id) => { element(id).hidden = false; };
const say = (text) => { element("state").textContent = text; };

const states = {
  EXPIRED: "This invitation is past its day. Ask your landlord for a new one.",
  REVOKED: "This invitation was taken back. Ask your landlord, if that is a surprise.",
  CLAIMED: "This invitation was accepted already.",
};

function refuse(text) {
  element("problem").textContent = text;
  show("problem");
}

// ask returns an answer's status and JSON, {} if it has none.
async function ask(path, options) {
  const answer = await fetch(path, { cache: "no-store", ...options });
  const body = await answer.json().catch(() => ({}));
  return { status: answer.status, ok: answer.ok, body };
}

async function open() {
  if (!/^[A-Za-z0-9_-]{16,128}$/.test(token)) {
    say("This address opens no invitation. Use the link in the mail, whole.");
    return;
  }
  const [invite, session] = await Promise.all([ask(api), ask("/auth/session")]);
  if (!invite.ok) {
    say("");
    refuse(invite.body.detail ?? "The invitation could not be read. Try again in a minute.");
    return;
  }
  element("landlord").textContent = invite.body.landlordName ?? "Your landlord";
  element("email").textContent = invite.body.email;
  element("until").textContent = new Date(invite.body.expiresAt).toLocaleDateString(undefined, { dateStyle: "long" });
  if (invite.body.unitLabel) {
    element("home").textContent = invite.body.unitLabel;
    show("home-line");
  }
  show("invitation");
  say(states[invite.body.state] ?? "");
  if (invite.body.state !== "PENDING") {
    return;
  }
  if (session.ok) {
    element("me").textContent = session.body.email;
    show("claim");
    return;
  }
  element("sign-up").href = "/auth/sign-up?" + new URLSearchParams({ invite: token });
  element("sign-in").href = "/auth/sign-in?" + new URLSearchParams({ next: "/invite#" + token });
  show("stranger");
}

async function claim(event) {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  element("problem").hidden = true;
  try {
    const answer = await ask(api + "/claim", { method: "POST" });
    if (!answer.ok) {
      refuse(answer.body.detail ?? "That did not work. Try again in a minute.");
      show("leave");
      return;
    }
    element("claim").hidden = true;
    element("leave").hidden = true;
    say("You have accepted the invitation. Your home is in your account now.");
  } finally {
    button.disabled = false;
  }
}

const failed = () => refuse("The connection broke. Check it, and load this page again.");
element("claim").addEventListener("submit", (event) => claim(event).catch(failed));
addEventListener("hashchange", () => location.reload());
open().catch(failed);
