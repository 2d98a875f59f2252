// An API server as an application would write it with SuperTokens' own library: the middleware at /auth, routes of its own behind sessions, and
// the combined API /like-comment that serves a browser's session and another service's token. Tests drive it over HTTP. Beside it stand two
// doors for the tests alone: /rpc calls a function of the library by name, and /outbox shows the mails the library would have sent.
//
// With "later" the program's clock is that many seconds ahead.
//
// usage: node api.mjs '{"core": "http://127.0.0.1:8080/supertokens", "apiKey": "…"}'
import express from "express";
import supertokens from "supertokens-node";
import EmailPassword from "supertokens-node/recipe/emailpassword/index.js";
import EmailVerification from "supertokens-node/recipe/emailverification/index.js";
import JWT from "supertokens-node/recipe/jwt/index.js";
import Multitenancy from "supertokens-node/recipe/multitenancy/index.js";
import Session from "supertokens-node/recipe/session/index.js";
import UserMetadata from "supertokens-node/recipe/usermetadata/index.js";
import UserRoles from "supertokens-node/recipe/userroles/index.js";
import { errorHandler, middleware } from "supertokens-node/framework/express/index.js";
import { verifySession } from "supertokens-node/recipe/session/framework/express/index.js";
import { bearer, serviceOf, started } from "./service.mjs";

const config = { antiCsrf: "NONE", dynamic: true, mailbox: "OPTIONAL", cookies: true, ...JSON.parse(process.argv[2]) };
if (config.later) {
  const Real = Date;
  const ahead = config.later * 1000;
  globalThis.Date = class extends Real {
    constructor(...args) {
      super(...(args.length ? args : [Real.now() + ahead]));
    }
    static now() {
      return Real.now() + ahead;
    }
  };
}
const app = express();
const { server, url } = await started(app);
const outbox = [];
const keepMail = { override: (original) => ({ ...original, sendEmail: async ({ userContext, ...mail }) => void outbox.push(mail) }) };

supertokens.init({
  framework: "express",
  telemetry: false,
  supertokens: { connectionURI: config.core, apiKey: config.apiKey },
  appInfo: { appName: "tests", apiDomain: url, websiteDomain: url, apiBasePath: "/auth", websiteBasePath: "/auth" },
  recipeList: config.onlyJWT
    ? [JWT.init()]
    : [
        EmailPassword.init({ emailDelivery: keepMail }),
        ...(config.mailbox === "OFF" ? [] : [EmailVerification.init({ mode: config.mailbox, emailDelivery: keepMail })]),
        Session.init({
          antiCsrf: config.antiCsrf,
          useDynamicAccessTokenSigningKey: config.dynamic,
          jwksRefreshIntervalSec: config.jwksRefreshIntervalSec,
        }),
        UserRoles.init(),
        UserMetadata.init(),
        JWT.init(),
        Multitenancy.init(),
      ],
});

// What a test may call by name.
const modules = { supertokens, EmailPassword, EmailVerification, JWT, Multitenancy, Session, UserMetadata, UserRoles };

// given makes an argument of the library out of JSON: {"$id": …} is a user of a recipe, {"$claim": …} a claim.
function given(v) {
  if (v === null) return undefined;
  if (v?.$id !== undefined) return supertokens.convertToRecipeUserId(v.$id);
  if (v?.$claim !== undefined) return { roles: UserRoles.UserRoleClaim, permissions: UserRoles.PermissionClaim, mailbox: EmailVerification.EmailVerificationClaim }[v.$claim];
  if (v?.recipeUserId?.$id !== undefined) return { ...v, recipeUserId: given(v.recipeUserId) };
  return v;
}

// shown makes JSON out of a result.
function shown(v) {
  if (typeof v?.getAllSessionTokensDangerously === "function") {
    return { handle: v.getHandle(), userId: v.getUserId(), tenantId: v.getTenantId(), payload: v.getAccessTokenPayload(), ...v.getAllSessionTokensDangerously() };
  }
  if (typeof v?.toJson === "function") return v.toJson();
  if (v?.user !== undefined && typeof v.user?.toJson === "function") return { ...v, user: v.user.toJson(), recipeUserId: v.recipeUserId?.getAsString() };
  if (Array.isArray(v)) return v.map(shown);
  if (Array.isArray(v?.users) && v.users.every((u) => typeof u.toJson === "function")) return { ...v, users: v.users.map((u) => u.toJson()) };
  return v;
}

async function call(name, args) {
  const [module, verb] = name.split(".");
  return shown(await modules[module][verb](...args.map(given)));
}

app.post("/rpc", express.json({ limit: "4mb" }), async (req, res) => {
  const { fn, args, times = 1 } = req.body;
  try {
    const results = [];
    for (let left = times; left > 0; left -= 8) {
      results.push(...(await Promise.all(Array.from({ length: Math.min(left, 8) }, () => call(fn, args ?? [])))));
    }
    res.json({ result: times === 1 ? (results[0] ?? null) : results });
  } catch (err) {
    res.json({ error: String(err?.message ?? err), type: err?.type ?? "" });
  }
});
app.get("/outbox", (_, res) => res.json(outbox));

if (!config.onlyJWT) {
  app.use(middleware());
  routes();
  app.use(errorHandler());
}
app.use((err, _req, res, _next) => res.status(500).json({ error: String(err?.message ?? err) }));

function routes() {
  const json = express.json();
  app.post("/sessions", json, async (req, res, next) => {
    try {
      const { userId, payload, data, tenant = "public" } = req.body;
      const s = await Session.createNewSession(req, res, tenant, supertokens.convertToRecipeUserId(userId), payload, data);
      res.json(shown(s));
    } catch (err) {
      next(err);
    }
  });
  const who = (req, res) => res.json(shown(req.session));
  app.get("/who", verifySession(), who);
  app.post("/who", verifySession(), who); // a call that changes something: anti-csrf applies
  app.get("/who/stored", verifySession({ checkDatabase: true }), async (req, res, next) => {
    try {
      res.json({ ...shown(req.session), data: await req.session.getSessionDataFromDatabase() });
    } catch (err) {
      next(err);
    }
  });
  const asAdmin = { overrideGlobalClaimValidators: (all) => [...all, UserRoles.UserRoleClaim.validators.includes("admin")] };
  app.get("/admin", verifySession(asAdmin), (_, res) => res.json({}));
  app.post("/merge", json, verifySession(), async (req, res, next) => {
    try {
      await req.session.mergeIntoAccessTokenPayload(req.body);
      res.json(shown(req.session));
    } catch (err) {
      next(err);
    }
  });
  app.post("/data", json, verifySession(), async (req, res, next) => {
    try {
      await req.session.updateSessionDataInDatabase(req.body);
      res.json({});
    } catch (err) {
      next(err);
    }
  });
  app.post("/log-out", verifySession(), async (req, res, next) => {
    try {
      await req.session.revokeSession();
      res.json({});
    } catch (err) {
      next(err);
    }
  });

  // A user's session first, else the token of a service, else 401.
  const service = serviceOf(url + "/auth/jwt/jwks.json");
  app.post("/like-comment", async (req, res, next) => {
    try {
      const session = await Session.getSession(req, res, { sessionRequired: false });
      if (session !== undefined) return res.json({ user: session.getUserId() });
      const token = bearer(req);
      const claims = token && (await service(token).catch(() => undefined));
      if (!claims) return res.status(401).json({ message: "unauthorised" });
      res.json({ service: claims.source });
    } catch (err) {
      next(err);
    }
  });
}

process.stdout.write(JSON.stringify({ url }) + "\n");
process.stdin.on("end", () => server.close(() => process.exit(0))).resume(); // goes when its test goes
