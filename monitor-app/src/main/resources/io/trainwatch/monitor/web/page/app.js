// The frame: which page is shown, keys, dark and light, and whether the monitor is heard.

import { h } from "./dom.js";
import { health } from "./health.js";
import { live } from "./live.js";
import { login } from "./login.js";

const PAGES = {
  fleet: () => import("./fleet.js"),
  run: () => import("./run.js"),
  compare: () => import("./compare.js"),
  alerts: () => import("./alerts.js"),
};

const KEYS = [
  ["j  k", "next, previous"],
  ["Enter", "open"],
  ["x", "mark a run for comparison"],
  ["c", "compare the marked runs"],
  ["/", "search"],
  ["f", "fleet"],
  ["a", "alerts"],
  ["t", "dark or light"],
  ["?", "these keys"],
  ["Esc", "close, clear, back"],
];

const main = document.getElementById("page");
const connection = document.getElementById("connection");
const trouble = document.getElementById("trouble");

let shown = { name: null, page: null };
let turn = 0;

/** "#/run/a%2Fb?x=time" is the page "run" with the argument "a/b" and the query x=time. */
function where() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [name, argument] = path.split("/", 2);
  return {
    name: name in PAGES ? name : "fleet",
    argument: argument === undefined ? null : decode(argument),
    query: new URLSearchParams(query),
  };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function show() {
  const { name, argument, query } = where();
  const mine = ++turn;
  const module = await PAGES[name]();
  if (mine !== turn) {
    return;
  }
  shown.page?.close();
  live.focus(name === "run" ? argument : null);
  main.replaceChildren();
  main.className = name;
  document.querySelectorAll("nav a").forEach((link) => {
    link.toggleAttribute("aria-current", link.dataset.page === name);
  });
  scrollTo(0, 0);
  shown = { name, page: module.open(main, argument, query) };
  title();
}

function title() {
  let sick = 0;
  live.runs.forEach((row) => (sick += health(row).sick ? 1 : 0));
  const page = shown.page?.title ? `${shown.page.title()} – ` : "";
  const text = `${sick ? `(${sick} sick) ` : ""}${page}trainwatch`;
  if (document.title !== text) {
    document.title = text;
  }
}

function state() {
  const words = { loading: "connecting…", live: "live", lost: "connection lost, trying again…", locked: "locked" };
  if (connection.dataset.state !== live.state) {
    connection.dataset.state = live.state;
    connection.textContent = words[live.state];
  }
  trouble.hidden = !live.trouble;
  trouble.textContent = live.trouble ?? "";
  if (live.state === "locked" && shown.name !== "login") {
    turn++;
    shown.page?.close();
    shown = { name: "login", page: { close() {} } };
    main.className = "";
    main.replaceChildren(login(() => live.resume().then(show)));
  }
}

function theme() {
  const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = other;
  localStorage.setItem("theme", other);
  dispatchEvent(new Event("themechange"));
}

function help() {
  const open = document.querySelector("dialog");
  if (open) {
    open.close();
    return;
  }
  const dialog = h(
    "dialog",
    { "aria-label": "Keys", onclose: () => dialog.remove(), onclick: () => dialog.close() },
    h("h2", null, "Keys"),
    h("dl", null, KEYS.flatMap(([key, what]) => [h("dt", null, h("kbd", null, key)), h("dd", null, what)])),
  );
  document.body.append(dialog);
  dialog.showModal();
}

function escape() {
  const field = document.activeElement;
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) {
    field.blur();
  } else if (!shown.page?.key?.("Escape") && shown.name !== "fleet") {
    location.hash = "#/";
  }
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || shown.name === "login" || document.querySelector("dialog")) {
    return;
  }
  if (event.key === "Escape") {
    escape();
    return;
  }
  const target = event.target;
  if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement) {
    return;
  }
  const own = {
    "?": help,
    t: theme,
    f: () => (location.hash = "#/"),
    a: () => (location.hash = "#/alerts"),
    c: () => (location.hash = shown.page?.compare?.() ?? "#/compare"),
    "/": () => main.querySelector("input[type=search]")?.focus(),
  };
  if (own[event.key]) {
    event.preventDefault();
    own[event.key]();
  } else if (shown.page?.key?.(event.key, target)) {
    event.preventDefault();
  }
}

document.getElementById("theme").addEventListener("click", theme);
document.getElementById("help").addEventListener("click", help);
document.addEventListener("keydown", key);
addEventListener("hashchange", show);
live.follow(state);
live.follow(title);
await live.start();
state();
if (live.state !== "locked") {
  await show();
}
