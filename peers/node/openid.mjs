// A relying party as a program would write it with openid-client. Tests call what the library does by name at /rpc; the person whom it sends
// away with an address is played by the test, who brings back where the server sent them.
//
// usage: node openid.mjs '{"issuer": "http://localhost:8080", "clients": {"web": {"id": "web", "secret": "…"}, "job": {"id": "job", "jwk": {…}}}}'
import express from "express";
import * as client from "openid-client";
import { started } from "./service.mjs";

const config = JSON.parse(process.argv[2]);
const issuer = new URL(config.issuer);
const loopback = { execute: [client.allowInsecureRequests] }; // the server under test speaks plain HTTP
const app = express();
const { url } = await started(app);
const redirectUri = url + "/callback";

async function authenticationOf({ secret, post, jwk }) {
  if (jwk) {
    const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    return client.PrivateKeyJwt({ key, kid: jwk.kid });
  }
  if (!secret) return client.None();
  return post ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
}

const parties = {};
for (const [name, c] of Object.entries(config.clients)) {
  // With "alg" the library verifies ID tokens, which must be signed with it, although they come straight from the issuer.
  const metadata = { client_secret: c.secret, ...(c.alg && { id_token_signed_response_alg: c.alg }) };
  parties[name] = await client.discovery(issuer, c.id, metadata, await authenticationOf(c), loopback);
  if (c.alg) client.enableNonRepudiationChecks(parties[name]);
}

const flows = {}; // by state: what the library must hear again
const keys = {}; // DPoP key pairs of this program, by name
const handles = {}; // what the library remembers of a party's key: the newest nonce

// proofs makes the library prove a key: true is the program's own, a name is another one.
async function proofs(name, wanted) {
  if (!wanted) return undefined;
  const key = wanted === true ? "own" : wanted;
  keys[key] ??= await client.randomDPoPKeyPair("ES256");
  return { DPoP: (handles[name + " " + key] ??= client.getDPoPHandle(parties[name], keys[key])) };
}

const told = (tokens) => ({ ...tokens, claims: tokens.claims?.(), expires_in: tokens.expiresIn?.() });

const functions = {
  metadata: (name) => parties[name].serverMetadata(),
  // authorize is where the person goes, and redirects are where they come back.
  async authorize(name, { par, dpop, pkce = true, ...extra }) {
    const verifier = client.randomPKCECodeVerifier();
    const flow = { name, dpop, checks: { pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() } };
    flows[flow.checks.expectedState] = flow;
    const parameters = {
      redirect_uri: redirectUri,
      state: flow.checks.expectedState,
      nonce: flow.checks.expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      ...extra,
    };
    if (extra.max_age !== undefined) flow.checks.maxAge = Number(extra.max_age);
    if (!pkce) {
      for (const name of ["code_challenge", "code_challenge_method"]) delete parameters[name];
      delete flow.checks.pkceCodeVerifier;
    }
    const proving = await proofs(name, dpop);
    if (proving && !par) parameters.dpop_jkt = await proving.DPoP.calculateThumbprint(); // pushed, the library adds it by itself
    const to = par
      ? await client.buildAuthorizationUrlWithPAR(parties[name], parameters, proving)
      : client.buildAuthorizationUrl(parties[name], parameters);
    return to.href;
  },
  // callback takes what came back, in the address or in a form that was posted there, and spends the code as the flow began, or with
  // another key or none.
  async callback(back, form, dpop) {
    const current = form ? new Request(back, { method: "POST", body: new URLSearchParams(form) }) : new URL(back);
    const flow = flows[form ? form.state : current.searchParams.get("state")];
    return told(await client.authorizationCodeGrant(parties[flow.name], current, flow.checks, undefined, await proofs(flow.name, dpop ?? flow.dpop)));
  },
  userinfo: async (name, access, subject, dpop) => client.fetchUserInfo(parties[name], access, subject, await proofs(name, dpop)),
  refresh: async (name, token, dpop) => told(await client.refreshTokenGrant(parties[name], token, undefined, await proofs(name, dpop))),
  narrow: async (name, token, parameters) => told(await client.refreshTokenGrant(parties[name], token, parameters)),
  grant: async (name, type, parameters) => told(await client.genericGrantRequest(parties[name], type, parameters)),
  introspect: (name, token) => client.tokenIntrospection(parties[name], token),
  revoke: async (name, token) => (await client.tokenRevocation(parties[name], token)) ?? null,
  credentials: async (name, parameters, dpop) => told(await client.clientCredentialsGrant(parties[name], parameters, await proofs(name, dpop))),
  device: (name, scope) => client.initiateDeviceAuthorization(parties[name], { scope }),
  poll: async (name, device, dpop) =>
    told(await client.pollDeviceAuthorizationGrant(parties[name], device, undefined, { signal: AbortSignal.timeout(40_000), ...(await proofs(name, dpop)) })),
  thumbprint: async (name, dpop) => (await proofs(name, dpop)).DPoP.calculateThumbprint(),
  async register(name, initialAccessToken, metadata) {
    parties[name] = await client.dynamicClientRegistration(issuer, { redirect_uris: [redirectUri], ...metadata }, undefined, {
      ...loopback,
      initialAccessToken,
    });
    return parties[name].clientMetadata();
  },
  leave: (name, parameters) => client.buildEndSessionUrl(parties[name], { post_logout_redirect_uri: url + "/bye", ...parameters }).href,
};

app.use(express.json());
app.post("/rpc", async (req, res) => {
  try {
    res.json({ result: (await functions[req.body.fn](...req.body.args)) ?? null });
  } catch (e) {
    // what the library makes of a refusal; a cause is the answer itself, which may not be JSON, or the challenges of the answer
    const challenges = [e.cause].flat().flatMap((c) => [c?.scheme, c?.parameters?.error]);
    res.json({ error: [e.name, e.code, e.error, e.message, e.error_description, e.cause?.message, ...challenges].filter(Boolean).join(": ") });
  }
});

process.stdin.on("end", () => process.exit()).resume();
console.log(JSON.stringify({ url }));
