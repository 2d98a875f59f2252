// A web application with express-openid-connect, which brings /login, /callback and /logout itself.
//
// usage: node rp-express.mjs '{"issuer": "http://localhost:8080", "client": "web", "secret": "…"}'
import express from "express";
import openid from "express-openid-connect";
import { front } from "./front.mjs";
import { started } from "./service.mjs";

const config = JSON.parse(process.argv[2]);
const app = express();
const { url } = await started(app, config.port);
app.use(
  openid.auth({
    issuerBaseURL: config.issuer,
    baseURL: url,
    clientID: config.client,
    clientSecret: config.secret,
    secret: "signs the cookie of this application alone",
    authRequired: false,
    idpLogout: true,
    authorizationParams: { response_type: "code", response_mode: config.mode ?? "query", scope: "openid email" },
  }),
);
app.get("/", async (req, res) => {
  const told = req.oidc.isAuthenticated() ? await req.oidc.fetchUserInfo() : undefined;
  res.send(front(told?.email));
});

process.stdin.on("end", () => process.exit()).resume();
console.log(JSON.stringify({ url }));
