// A second service that serves only other services. It has no library of SuperTokens: it checks tokens with the keys at the given address.
//
// usage: node m2.mjs '{"jwks": "http://127.0.0.1:3000/auth/jwt/jwks.json", "fresh": false}'; fresh asks for the keys each time
import express from "express";
import { bearer, serviceOf, started } from "./service.mjs";

const { jwks, fresh } = JSON.parse(process.argv[2]);
const service = serviceOf(jwks, { cache: !fresh });
const app = express();
app.post("/work", async (req, res) => {
  try {
    res.json(await service(bearer(req) ?? ""));
  } catch (err) {
    res.status(401).json({ message: err.message });
  }
});
const { server, url } = await started(app);
process.stdout.write(JSON.stringify({ url }) + "\n");
process.stdin.on("end", () => server.close(() => process.exit(0))).resume();
