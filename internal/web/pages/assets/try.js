// A web application in miniature: it calls the login API in cookie mode and never sees a token.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const log = $("log"), form = $("account");
  const calls = {
    register: () => ["POST", "/register", { email: form.email.value, password: form.password.value }],
    login: () => ["POST", "/login/password", { email: form.email.value, password: form.password.value }],
    me: () => ["GET", "/me"],
    refresh: () => ["POST", "/jwt/refresh", {}],
    logout: () => ["POST", "/logout", {}],
  };

  const element = (tag, className, text) => {
    const e = document.createElement(tag);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
  };

  const show = (method, path, body, status, answer) => {
    const entry = element("li", "entry"), bar = element("div", "bar");
    bar.append(element("span", "", method + " " + path), element("span", status < 400 ? "ok" : "no", String(status)));
    entry.append(bar);
    if (body && Object.keys(body).length) {
      const hidden = body.password === undefined ? body : { ...body, password: "••••••••" };
      entry.append(element("pre", "", JSON.stringify(hidden, null, 2)));
    }
    if (answer) entry.append(element("pre", "", answer));
    $("log-empty").hidden = true;
    log.prepend(entry);
  };

  const turn = (loggedIn, who) => {
    const state = $("state");
    state.classList.toggle("in", loggedIn);
    $("state-text").textContent = (loggedIn ? state.dataset.in : state.dataset.out) + (who ? " " + who : "");
  };

  const send = async (method, path, body) => {
    const options = { method, credentials: "same-origin", headers: { Accept: "application/json", "X-Token-Mode": "cookie" } };
    if (body) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
    }
    const response = await fetch(log.dataset.prefix + path, options);
    const text = await response.text();
    let value = null;
    try { value = JSON.parse(text); } catch { /* an empty answer */ }
    return { status: response.status, ok: response.ok, value, text: value ? JSON.stringify(value, null, 2) : text };
  };

  const call = async (name) => {
    const [method, path, body] = calls[name]();
    try {
      const got = await send(method, path, body);
      show(method, path, body, got.status, got.text);
      if (name === "register" && got.ok) $("mailbox").focus();
      if (name === "logout" && got.ok) turn(false);
      else if (name === "me" || name === "login" || name === "refresh") await look();
    } catch (error) {
      show(method, path, body, 0, String(error));
    }
  };

  const look = async () => {
    const me = await send("GET", "/me");
    turn(me.ok, me.ok ? me.value.email : "");
  };

  form.addEventListener("submit", (event) => { event.preventDefault(); call("login"); });
  for (const button of document.querySelectorAll("button[data-call]")) {
    if (button.type !== "submit") button.addEventListener("click", () => call(button.dataset.call));
  }
  look();
})();
