// What services share that trust each other's tokens: the check with jsonwebtoken and jwks-rsa, and how a program here says where it listens.
import { webcrypto } from "node:crypto";
import http from "node:http";
import jsonwebtoken from "jsonwebtoken";
import jwksClient from "jwks-rsa";

// Node.js 18, which Debian 12 has, brings all that the libraries need, but not by these names.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;

// started listens on the loopback, on a free port unless one is given.
export function started(app, port = 0) {
  return new Promise((resolve, reject) => {
    const server = http.createServer(app);
    server.on("error", reject);
    server.listen(port, "127.0.0.1", () => resolve({ server, url: "http://127.0.0.1:" + server.address().port }));
  });
}

export function bearer(req) {
  return req.headers.authorization?.split("Bearer ")[1];
}

// serviceOf gives a check: the claims of a token that a key of the set signed and that carries the mark of a service; every other is rejected.
// Like the programs it stands for it names no algorithms: what the library takes by itself is what is tried.
export function serviceOf(jwksUri, options = {}) {
  const client = jwksClient({ jwksUri, ...options });
  const getKey = (header, callback) => client.getSigningKey(header.kid, (err, key) => callback(err, key?.getPublicKey()));
  return (token) =>
    new Promise((resolve, reject) => {
      jsonwebtoken.verify(token, getKey, {}, (err, decoded) => {
        if (err) return reject(err);
        if (decoded === undefined || typeof decoded === "string" || decoded.source !== "microservice") return reject(new Error("not the token of a service"));
        resolve(decoded);
      });
    });
}
