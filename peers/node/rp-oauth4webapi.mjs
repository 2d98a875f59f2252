// A web application with oauth4webapi: /login, /callback, /logout, and a front page that says who is signed on.
//
// usage: node rp-oauth4webapi.mjs '{"issuer": "http://localhost:8080", "client": "web", "secret": "…"}'
import express from "express";
import * as oauth from "oauth4webapi";
import { front } from "./front.mjs";
import { started } from "./service.mjs";

const config = JSON.parse(process.argv[2]);
const http = { [oauth.allowInsecureRequests]: true }; // the server under test speaks plain HTTP
const app = express();
const { url } = await started(app, config.port);
const issuer = new URL(config.issuer);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http));
const client = { client_id: config.client };
const authentication = oauth.ClientSecretBasic(config.secret);
const redirectUri = url + "/callback";
let flow; // one person at a time
let session;

app.get("/", (_, res) => res.send(front(session?.email)));
app.get("/login", async (_, res) => {
  flow = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() };
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: "code",
    scope: "openid email",
    state: flow.state,
    nonce: flow.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.verifier),
    code_challenge_method: "S256",
  });
  res.redirect(to.href);
});
app.get("/callback", async (req, res) => {
  const back = oauth.validateAuthResponse(as, client, new URL(req.url, url), flow.state);
  const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, back, redirectUri, flow.verifier, http);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: flow.nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, answer, http);
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const told = await oauth.userInfoRequest(as, client, tokens.access_token, http);
  const { email } = await oauth.processUserInfoResponse(as, client, sub, told);
  session = { email, idToken: tokens.id_token };
  res.redirect("/");
});
app.get("/logout", (_, res) => {
  const to = new URL(as.end_session_endpoint);
  to.search = new URLSearchParams({ client_id: client.client_id, id_token_hint: session.idToken, post_logout_redirect_uri: url + "/" });
  session = undefined;
  res.redirect(to.href);
});

process.stdin.on("end", () => process.exit()).resume();
console.log(JSON.stringify({ url }));
