// The front page of the web applications: who is signed on, "nobody" for none.
const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export function front(email) {
  return `<!doctype html><title>application</title><p id="who">${escaped(email ?? "nobody")}</p>`;
}
