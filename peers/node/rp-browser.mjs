// An application that runs in the browser alone, with oidc-client-ts: this program only hands out its page and the library.
//
// usage: node rp-browser.mjs '{"issuer": "http://localhost:8080", "client": "spa", "port": 3000}'
import express from "express";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { started } from "./service.mjs";

const config = JSON.parse(process.argv[2]);
const app = express();
const { url } = await started(app, config.port);
const library = join(dirname(createRequire(import.meta.url).resolve("oidc-client-ts/package.json")), "dist", "browser", "oidc-client-ts.min.js");

const settings = JSON.stringify({
  authority: config.issuer,
  client_id: config.client,
  redirect_uri: url + "/callback",
  post_logout_redirect_uri: url + "/",
  scope: "openid email",
  loadUserInfo: true,
});
const page = `<!doctype html><title>application</title><p id="who"></p><script src="/oidc-client-ts.js"></script><script>
const manager = new oidc.UserManager(${settings});
const acts = {
  "/login": () => manager.signinRedirect(),
  "/callback": async () => { await manager.signinRedirectCallback(); location.replace("/"); },
  "/logout": () => manager.signoutRedirect(),
  "/": async () => { document.getElementById("who").textContent = (await manager.getUser())?.profile.email ?? "nobody"; },
};
acts[location.pathname]().catch((e) => { document.getElementById("who").textContent = String(e); });
</script>`;
app.get("/oidc-client-ts.js", (_, res) => res.sendFile(library));
app.get(["/", "/login", "/callback", "/logout"], (_, res) => res.send(page));

process.stdin.on("end", () => process.exit()).resume();
console.log(JSON.stringify({ url }));
