"""A web application on Authlib, as published, for the tests: it signs people on at the issuer, shows who they are, and logs them out.

Run with one argument, a JSON object: issuer, client, secret, address; with a key (PEM), its kid and alg, the application authenticates by
private_key_jwt instead of the secret.
"""

import json
import secrets
import sys
import traceback
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken

CONFIG = json.loads(sys.argv[1])
ISSUER, CLIENT, SECRET = CONFIG["issuer"], CONFIG["client"], CONFIG["secret"]
HOME = "http://" + CONFIG["address"]
EVENT = "http://schemas.openid.net/event/backchannel-logout"
META = requests.get(ISSUER + "/.well-known/openid-configuration", timeout=10).json()
VISITS = {}  # by cookie: on the way to sign on, or signed on


def authenticated(key=None, **more):
    """A session of the library that proves who the application is: by its secret, or by its key."""
    if not CONFIG["key"]:
        return OAuth2Session(CLIENT, key or SECRET, token_endpoint=META["token_endpoint"], **more)
    client = OAuth2Session(CLIENT, key or CONFIG["key"], token_endpoint=META["token_endpoint"], token_endpoint_auth_method="private_key_jwt",
                           revocation_endpoint_auth_method="private_key_jwt", **more)
    client.register_client_auth_method(PrivateKeyJWT(META["token_endpoint"], headers={"kid": CONFIG["kid"]}, alg=CONFIG["alg"]))
    return client


def session(**more):
    return authenticated(scope="openid email offline_access", redirect_uri=HOME + "/callback", code_challenge_method="S256", **more)


def wrong():
    """What somebody else would have in the place of the secret or the key."""
    if not CONFIG["key"]:
        return SECRET + "x"
    kind, size = ("RSA", 2048) if CONFIG["alg"] == "RS256" else ("EC", "P-256")
    return JsonWebKey.generate_key(kind, size, is_private=True).as_pem(is_private=True).decode()


def keys():
    return JsonWebKey.import_key_set(requests.get(META["jwks_uri"], timeout=10).json())


def id_token(raw, nonce, access):
    claims = JsonWebToken(["RS256", "ES256"]).decode(
        raw, keys(), claims_cls=CodeIDToken, claims_params={"nonce": nonce, "client_id": CLIENT, "access_token": access},
        claims_options={"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": CLIENT}})
    claims.validate(leeway=5)
    return claims


def grants(client):
    """What the library can do beside the code grant: refresh, introspect, revoke, and tokens for the application itself."""
    old = client.token["access_token"]
    token = client.refresh_token(META["token_endpoint"], refresh_token=client.token["refresh_token"])
    assert token["access_token"] != old and token["refresh_token"], "no new tokens"
    found = client.introspect_token(META["introspection_endpoint"], token=token["access_token"]).json()
    assert found["active"] is True, found
    with authenticated(scope="plants") as own:
        mine = own.fetch_token(META["token_endpoint"], grant_type="client_credentials")
        assert mine["access_token"] and "refresh_token" not in mine, sorted(mine)
        assert own.revoke_token(META["revocation_endpoint"], token=mine["access_token"]).status_code == 200
        assert own.introspect_token(META["introspection_endpoint"], token=mine["access_token"]).json() == {"active": False}
    try:
        with authenticated(wrong()) as other:
            other.fetch_token(META["token_endpoint"], grant_type="client_credentials")
        raise AssertionError("a wrong secret or key was taken")
    except OAuthError as refused:
        assert refused.error == "invalid_client", refused


class App(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass  # addresses hold codes

    def answer(self, status, text="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def keep(self, visit, to):
        cookie = secrets.token_urlsafe()
        VISITS[cookie] = visit
        self.answer(302, Location=to, Set_Cookie=f"{CLIENT}={cookie}; Path=/; HttpOnly")

    def visit(self):
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get(CLIENT)
        return VISITS.get(morsel.value, {}) if morsel else {}

    def guarded(self, pages):
        try:
            page = pages.get(urlsplit(self.path).path)
            page() if page else self.answer(404)
        except Exception:
            traceback.print_exc()
            self.answer(500)

    def do_GET(self):
        self.guarded({"/": self.home, "/callback": self.callback, "/leave": self.leave, "/bye": lambda: self.answer(200, "bye")})

    def do_POST(self):
        self.guarded({"/backchannel": self.told})

    def home(self):
        visit = self.visit()
        if "says" in visit:
            return self.answer(200, visit["says"])
        verifier, nonce = generate_token(48), generate_token()
        with session() as client:
            to, state = client.create_authorization_url(META["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
        self.keep({"state": state, "verifier": verifier, "nonce": nonce}, to)

    def callback(self):
        visit = self.visit()
        with session(state=visit["state"]) as client:
            token = client.fetch_token(META["token_endpoint"], authorization_response=HOME + self.path, code_verifier=visit["verifier"])
            claims = id_token(token["id_token"], visit["nonce"], token["access_token"])
            who = client.get(META["userinfo_endpoint"]).json()
            assert who["sub"] == claims["sub"] and who["email_verified"] is True, who
            grants(client)
        self.keep({"says": "signed on as " + who["email"], "sid": claims["sid"], "id_token": token["id_token"]}, "/")

    def leave(self):
        visit = self.visit()
        self.forget(visit.get("sid"))
        self.answer(302, Location=META["end_session_endpoint"] + "?" + urlencode(
            {"id_token_hint": visit.get("id_token", ""), "post_logout_redirect_uri": HOME + "/bye"}))

    def told(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        claims = JsonWebToken(["RS256", "ES256"]).decode(form["logout_token"][0], keys(), claims_options={
            "iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": CLIENT}, "jti": {"essential": True}})
        claims.validate(leeway=5)
        assert EVENT in claims["events"] and "nonce" not in claims, "not a logout token"
        self.forget(claims["sid"])
        self.answer(200, Cache_Control="no-store")

    def forget(self, sid):
        for cookie in [c for c, v in list(VISITS.items()) if v.get("sid") == sid]:
            del VISITS[cookie]


host, port = CONFIG["address"].split(":")
ThreadingHTTPServer((host, int(port)), App).serve_forever()
