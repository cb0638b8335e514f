// The sample application: authorization code with PKCE (RFC 7636) in the browser, with every check a client owes.
// Tokens stay in memory; only what must survive the trip to the server lies in sessionStorage.
"use strict";

const config = JSON.parse(document.getElementById("demo-config").textContent);
const PENDING = "demo-app-pending";
const $ = (id) => document.getElementById(id);
let tokens = null;
let subject = null;
let discovery = null;

class Refused extends Error {
  constructor(code, description) {
    super(description || "");
    this.code = code;
  }
}

// ---- Encoding ----

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const fromBase64url = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const readJson = (part) => JSON.parse(new TextDecoder().decode(fromBase64url(part)));

// ---- Requests ----

async function answer(url, options) {
  const response = await fetch(url, { cache: "no-store", credentials: "omit", ...options });
  const text = await response.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  if (!response.ok || body === null) {
    throw new Refused((body && body.error) || `HTTP ${response.status}`, body && body.error_description);
  }
  return body;
}

const post = (url, parameters) => answer(url, { method: "POST", body: new URLSearchParams(parameters) });

// ---- Signing in ----

async function signIn() {
  const pending = { state: randomText(), nonce: randomText(), code_verifier: randomText() };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(pending.code_verifier));
  location.assign(withParameters(discovery.authorization_endpoint, {
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    scope: config.scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: base64url(digest), // RFC 7636 §4.2
    code_challenge_method: "S256",
  }));
}

function withParameters(address, parameters) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

async function finishSignIn(response) {
  const pending = JSON.parse(sessionStorage.getItem(PENDING) || "{}");
  sessionStorage.removeItem(PENDING);
  // RFC 6749 §10.12: a response that this browser did not ask for is not looked into.
  if (!pending.state || response.get("state") !== pending.state) {
    throw new Refused("state_mismatch", "The state of the response is not the one this page sent.");
  }
  // RFC 9207 §2.4: errors carry the issuer too.
  if (response.get("iss") !== discovery.issuer) {
    throw new Refused("issuer_mismatch", "The iss of the response is not the issuer this page asked.");
  }
  if (response.has("error")) throw new Refused(response.get("error"), response.get("error_description"));
  const received = await post(discovery.token_endpoint, {
    grant_type: "authorization_code",
    code: response.get("code"),
    redirect_uri: config.redirect_uri,
    client_id: config.client_id,
    code_verifier: pending.code_verifier,
  });
  await accept(received, pending.nonce);
}

async function refresh() {
  const received = await post(discovery.token_endpoint, {
    grant_type: "refresh_token",
    refresh_token: tokens.refresh_token,
    client_id: config.client_id,
  });
  await accept({ ...tokens, ...received }, null);
  $("demo-status").textContent = $("demo-status").dataset.refreshed;
}

function signOut() {
  const parameters = {
    id_token_hint: tokens.id_token,
    client_id: config.client_id,
    post_logout_redirect_uri: config.post_logout_redirect_uri || config.redirect_uri,
  };
  tokens = null;
  location.assign(withParameters(discovery.end_session_endpoint, parameters));
}

// ---- The ID token (OpenID Connect Core §3.1.3.7) ----

const ALGORITHMS = {
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
};

async function verifyIdToken(token, nonce) {
  const [head, payload, signature] = token.split(".");
  const { alg, kid } = readJson(head);
  const algorithm = ALGORITHMS[alg];
  const { keys } = await answer(discovery.jwks_uri);
  const jwk = keys.find((key) => key.kid === kid && (!key.alg || key.alg === alg));
  if (!algorithm || !jwk) throw new Refused("unknown_key", "No key of the server fits the ID token.");
  const { kty, n, e, crv, x, y } = jwk;
  const key = await crypto.subtle.importKey("jwk", { kty, n, e, crv, x, y }, algorithm, false, ["verify"]);
  const signed = new TextEncoder().encode(`${head}.${payload}`);
  if (!(await crypto.subtle.verify(algorithm, key, fromBase64url(signature), signed))) {
    throw new Refused("bad_signature", "The signature of the ID token does not verify.");
  }
  const claims = readJson(payload);
  const audience = [].concat(claims.aud);
  const fits = claims.iss === discovery.issuer && audience.includes(config.client_id)
    && claims.exp > Date.now() / 1000 - 60 && (nonce === null || claims.nonce === nonce);
  if (!fits) throw new Refused("bad_id_token", "Issuer, audience, time or nonce of the ID token is wrong.");
  return { claims, alg };
}

// ---- Showing ----

async function accept(received, nonce) {
  const { claims, alg } = await verifyIdToken(received.id_token, nonce);
  // OpenID Connect Core §12.2: a refresh cannot change who is signed in.
  if (nonce === null && claims.sub !== subject) throw new Refused("subject_mismatch", "The new ID token is somebody else's.");
  tokens = received;
  subject = claims.sub;
  const userinfo = await answer(discovery.userinfo_endpoint, {
    headers: { Authorization: `Bearer ${tokens.access_token}` },
  });
  // OpenID Connect Core §5.3.2: claims of another subject must not be used.
  if (userinfo.sub !== claims.sub) throw new Refused("subject_mismatch", "userinfo speaks of somebody else.");
  const introspection = await post(config.introspection_path, { token: tokens.access_token });
  show($("demo-id-token"), claims);
  show($("demo-userinfo"), userinfo);
  const { access_token, ...others } = tokens;
  $("demo-access-token").textContent = access_token;
  show($("demo-token-response"), others);
  show($("demo-introspection"), introspection);
  $("demo-algorithm").textContent = alg;
  const name = userinfo.name || userinfo.preferred_username || userinfo.username || claims.sub;
  $("demo-name").textContent = name;
  $("demo-initial").textContent = name.slice(0, 1).toUpperCase();
  $("demo-refresh").hidden = !tokens.refresh_token;
  $("demo-error").hidden = true;
  $("demo-signed-out").hidden = true;
  $("demo-signed-in").hidden = false;
}

function show(place, value) {
  place.replaceChildren();
  for (const piece of JSON.stringify(value, null, 2).split(/^( *"[^"\n]*"(?=:))/m)) {
    if (/^ *"[^"\n]*"$/.test(piece)) {
      const name = document.createElement("b");
      name.textContent = piece;
      place.append(name);
    } else {
      place.append(piece);
    }
  }
}

function showError(error) {
  $("demo-error-code").textContent = error.code || error.name;
  $("demo-error-description").textContent = error.message;
  $("demo-error").hidden = false;
  $("demo-error").focus();
}

function onClick(id, action) {
  $(id).addEventListener("click", async () => {
    const button = $(id);
    button.disabled = true;
    try {
      await action();
    } catch (error) {
      showError(error);
    }
    button.disabled = false;
  });
}

// ---- Start ----

async function start() {
  // Storage and cookies belong to one origin: 127.0.0.1 and localhost are two.
  if (new URL(config.redirect_uri).origin !== location.origin) {
    location.replace(config.redirect_uri);
    return;
  }
  discovery = await answer(config.discovery_url);
  onClick("demo-sign-in", signIn);
  onClick("demo-refresh", refresh);
  onClick("demo-sign-out", async () => signOut());
  $("demo-sign-in").disabled = false;
  const response = new URLSearchParams(location.search);
  if (response.has("code") || response.has("error")) {
    history.replaceState(null, "", location.pathname); // the code must not stay in the address bar
    await finishSignIn(response);
  }
}

start().catch(showError);
