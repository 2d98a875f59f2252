// Everything here is comfort: each page works without it.
"use strict";
(() => {
  const words = document.body.dataset;
  for (const input of document.querySelectorAll("input[type=password]")) {
    const button = document.createElement("button");
    const turn = (shown) => {
      input.type = shown ? "text" : "password";
      button.textContent = shown ? words.hide : words.show;
      button.setAttribute("aria-pressed", String(shown));
    };
    button.type = "button";
    button.className = "show";
    button.setAttribute("aria-controls", input.id);
    turn(false);
    button.addEventListener("click", () => { turn(input.type === "password"); input.focus(); });
    input.form.addEventListener("submit", () => turn(false)); // so that password managers see a password
    input.parentElement.classList.add("peek");
    input.after(button);
  }
  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = words.copied;
      setTimeout(() => { button.textContent = words.copy; }, 2000);
    });
  }
  document.getElementById("summary")?.focus();
  document.querySelector("form[data-auto]")?.requestSubmit();
})();
