// Every episode that the monitor remembers, open ones first.

import { alertCard, isOpen } from "./alert.js";
import { get, paging, pagingChanged, remove } from "./api.js";
import { bdi, h, setText } from "./dom.js";
import { moment, plural, whole } from "./format.js";
import { live } from "./live.js";

const PAGE = 100;

const chosen = { state: "open", severity: "warning", project: "", text: "" };
const SEVERITIES = { info: ["info", "warning", "critical"], warning: ["warning", "critical"], critical: ["critical"] };

export function open(main) {
  return new Alerts(main);
}

class Alerts {
  #title = h("h1", null, "Alerts");
  #search = h("input", { type: "search", placeholder: "Search alerts  ( / )", "aria-label": "Search alerts" });
  #project = h("select", { "aria-label": "Project" });
  #silences = h("ul", { class: "silences", "aria-label": "Silences" });
  #list = h("div", { class: "cards" });
  #more = h("button", { type: "button", hidden: true, onclick: () => { this.#shown += PAGE; this.#paint(); } });
  #alerts = [];
  #cards = new Map();
  #shown = PAGE;
  #selected = null;
  #stop;
  #clock;
  #aborted = new AbortController();
  #asking = false;
  #again = false;

  constructor(main) {
    const state = select("State", { open: "open", resolved: "resolved", "": "open and resolved" }, chosen.state, (value) => this.#choose("state", value));
    const severity = select("Severity", { info: "info and above", warning: "warning and above", critical: "critical" }, chosen.severity, (value) => this.#choose("severity", value));
    this.#search.value = chosen.text;
    this.#search.addEventListener("input", () => this.#choose("text", this.#search.value));
    this.#project.addEventListener("change", () => this.#choose("project", this.#project.value));
    main.append(this.#title, h("div", { class: "filters" }, this.#search, state, severity, this.#project), this.#silences, this.#list, this.#more);
    this.#stop = live.follow((change) => change.alarm && this.#load());
    addEventListener("pagingchange", () => this.#hold(), { signal: this.#aborted.signal });
    this.#clock = setInterval(() => [...this.#list.children].forEach((card) => card.tick(live.now())), 1000);
    this.#load();
    this.#hold();
  }

  close() {
    this.#stop();
    clearInterval(this.#clock);
    this.#aborted.abort();
  }

  title() {
    return "Alerts";
  }

  key(key) {
    const cards = [...this.#list.children];
    const at = cards.findIndex((card) => card.dataset.alert === this.#selected);
    if (key === "j" || key === "k") {
      const card = cards[at < 0 ? 0 : Math.max(0, Math.min(cards.length - 1, at + (key === "j" ? 1 : -1)))];
      if (card) {
        this.#selected = card.dataset.alert;
        cards.forEach((one) => one.classList.toggle("selected", one === card));
        card.scrollIntoView({ block: "nearest" });
        card.querySelector("button.head").focus({ preventScroll: true });
      }
      return true;
    }
    return false;
  }

  /** What is silenced now, each with a way to end it. */
  async #hold() {
    const state = await paging();
    this.#silences.replaceChildren(
      ...(state?.silences ?? []).map((one) =>
        h(
          "li",
          null,
          "silenced until ",
          moment(one.expires_at_ms),
          ": ",
          bdi([one.project && `project ${one.project}`, one.run_id && `run ${one.run_id}`, one.detector].filter(Boolean).join(", ")),
          one.comment || one.created_by ? h("span", { class: "quiet" }, " (", bdi([one.created_by, one.comment].filter(Boolean).join(": ")), ")") : null,
          h("button", { type: "button", onclick: () => remove(`/api/v1/silences/${encodeURIComponent(one.id)}`).then(pagingChanged, pagingChanged) }, "End"),
        ),
      ),
    );
  }

  #choose(what, value) {
    chosen[what] = value;
    this.#shown = PAGE;
    this.#paint();
  }

  async #load() {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      this.#alerts = (await get("/api/v1/alerts?limit=1000")).alerts;
      this.#paint();
    } catch (problem) {
      setText(this.#title, `Alerts: ${problem.message}`);
    } finally {
      this.#asking = false;
    }
    if (this.#again) {
      this.#again = false;
      this.#load();
    }
  }

  #paint() {
    const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = this.#alerts.filter(
      (alert) =>
        (chosen.state === "" || (chosen.state === "open") === isOpen(alert)) &&
        SEVERITIES[chosen.severity].includes(alert.severity) &&
        (chosen.project === "" || alert.project === chosen.project) &&
        words.every((word) => [alert.run_id, alert.run_name, alert.project, alert.detector, alert.scope, alert.message].join(" ").toLowerCase().includes(word)),
    );
    const rank = { critical: 0, warning: 1, info: 2 };
    wanted.sort((a, b) => isOpen(b) - isOpen(a) || rank[a.severity] - rank[b.severity] || b.opened_at_ms - a.opened_at_ms);
    setText(this.#title, wanted.length === 0 ? "No such alert" : plural(wanted.length, "alert", "alerts"));
    const projects = ["", ...[...new Set(this.#alerts.map((alert) => alert.project).filter(Boolean))].sort()];
    if (projects.length !== this.#project.options.length) {
      this.#project.replaceChildren(...projects.map((name) => h("option", { value: name }, name || "all projects")));
      this.#project.value = chosen.project;
    }
    const before = this.#cards;
    this.#cards = new Map();
    const cards = wanted.slice(0, this.#shown).map((alert) => {
      const key = `${alert.alert_id} ${alert.changed_at_ms} ${alert.state}`;
      const card = before.get(key) ?? alertCard(alert, { run: true, now: live.now() });
      card.classList.toggle("selected", alert.alert_id === this.#selected);
      this.#cards.set(key, card);
      return card;
    });
    if (cards.length !== this.#list.children.length || cards.some((card, i) => card !== this.#list.children[i])) {
      this.#list.replaceChildren(...cards);
    }
    this.#more.hidden = wanted.length <= this.#shown;
    setText(this.#more, `Show more of the other ${whole(wanted.length - this.#shown)}`);
  }
}

function select(label, options, value, choose) {
  const box = h("select", { "aria-label": label, onchange: () => choose(box.value) }, Object.entries(options).map(([key, text]) => h("option", { value: key }, text)));
  box.value = value;
  return box;
}
