// Asks for the token once; the browser then has a cookie that no script can read.

import { post } from "./api.js";
import { h } from "./dom.js";

/** Calls {@code done} when the monitor let us in. */
export function login(done) {
  const field = h("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const form = h(
    "form",
    {
      class: "login panel",
      onsubmit: async (event) => {
        event.preventDefault();
        wrong.textContent = "";
        try {
          await post("/login", { token: field.value.trim() });
          done();
        } catch (problem) {
          wrong.textContent = problem.message;
          field.select();
        }
      },
    },
    h("h1", null, "trainwatch"),
    h("p", null, "This monitor asks for its token: what TRAINWATCH_HTTP_TOKEN or the file of http.token_file holds where it runs."),
    h("input", { type: "text", autocomplete: "username", value: "trainwatch", hidden: true }),
    h("label", { for: "token" }, "Token"),
    field,
    h("button", { type: "submit", class: "primary" }, "Enter"),
    wrong,
  );
  queueMicrotask(() => field.focus());
  return form;
}
