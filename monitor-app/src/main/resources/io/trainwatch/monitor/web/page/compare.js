// Several runs in one chart, by steps, time, samples or tokens.

import { get, runPath } from "./api.js";
import { AXES, Chart, colour, place } from "./chart.js";
import { bdi, h, setAttribute, setText } from "./dom.js";
import { decimal, number, whole } from "./format.js";
import { health, icon } from "./health.js";
import { live } from "./live.js";

const MAX_RUNS = 8;
const POINTS = 400;
const REFRESH_MS = 2_000;

export function open(main, _argument, query) {
  return new Compare(main, query);
}

class Compare {
  #ids;
  #axis;
  #name;
  #log = false;
  #weight = 0;
  #runs = new Map();
  #chart = new Chart(null, "the runs over each other");
  #series = h("select", { "aria-label": "Series", onchange: () => { this.#name = this.#series.value; this.#load(); } });
  #axes = h("span", { class: "switch", role: "group", "aria-label": "Horizontal axis" });
  #logs = h("button", { type: "button", class: "log", title: "Logarithmic axis", onclick: () => { this.#log = !this.#log; this.#paint(); } }, "log");
  #options = h("datalist", { id: "runs" });
  #add = h("input", { type: "search", list: "runs", placeholder: "Add a run  ( / )", "aria-label": "Add a run by its id", onchange: () => this.#added() });
  #note = h("p", { class: "quiet", role: "status" });
  #table = h("tbody");
  #panel;
  #timer;
  #closed = false;
  #aborted = new AbortController();

  constructor(main, query) {
    this.#ids = [...new Set(query.getAll("run"))].slice(0, MAX_RUNS);
    this.#axis = query.get("x") in AXES ? query.get("x") : "step";
    this.#name = query.get("series") ?? "loss";
    const smooth = h("input", { type: "range", min: 0, max: 0.95, step: 0.05, value: 0, "aria-label": "Smoothing", oninput: () => { this.#weight = Number(smooth.value); this.#paint(); } });
    this.#axes.append(...Object.keys(AXES).map((axis) => h("button", { type: "button", "data-axis": axis, onclick: () => { this.#axis = axis; this.#paint(); } }, AXES[axis].name)));
    this.#panel = h("section", { class: "panel chart tall" }, this.#chart.element);
    main.append(
      h("h1", null, "Compare runs"),
      h("div", { class: "filters tools" }, this.#add, this.#options, this.#series, this.#axes, h("label", { class: "smooth" }, "smooth ", smooth), this.#logs),
      this.#note,
      this.#panel,
      h("div", { class: "scroll" }, h("table", { class: "runs panel" }, h("thead", null, h("tr", null, ["", "run", "state", "step", "first", "best", "now", ""].map((name) => h("th", { scope: "col" }, name)))), this.#table)),
    );
    this.#choices();
    addEventListener("themechange", () => this.#paint(), { signal: this.#aborted.signal });
    this.#timer = setInterval(() => !document.hidden && this.#load(), REFRESH_MS);
    this.#load();
  }

  close() {
    this.#closed = true;
    this.#aborted.abort();
    clearInterval(this.#timer);
    this.#chart.close();
  }

  title() {
    return "Compare";
  }

  #choices() {
    const ids = [...live.runs.keys()].filter((id) => !this.#ids.includes(id)).sort();
    this.#options.replaceChildren(...ids.slice(0, 500).map((id) => h("option", { value: id })));
  }

  #added() {
    const id = this.#add.value;
    if (!live.runs.has(id)) {
      setText(this.#note, id ? "No run has exactly this id." : "");
      return;
    }
    this.#add.value = "";
    if (this.#ids.length >= MAX_RUNS) {
      setText(this.#note, `${MAX_RUNS} runs at most: more colours cannot be told apart.`);
      return;
    }
    this.#set([...this.#ids, id]);
  }

  #set(ids) {
    this.#ids = ids;
    const query = new URLSearchParams(ids.map((id) => ["run", id]));
    history.replaceState(null, "", `#/compare?${query}`);
    this.#choices();
    this.#load();
  }

  async #load() {
    const ids = this.#ids;
    await Promise.all(
      ids.map(async (id) => {
        try {
          const [run, answer] = await Promise.all([
            get(runPath(id), this.#aborted.signal),
            get(runPath(id, `/series?points=${POINTS}&name=${encodeURIComponent(this.#name)}`), this.#aborted.signal),
          ]);
          this.#runs.set(id, { ...run, curve: answer.series[0] ?? null });
        } catch (problem) {
          this.#runs.set(id, { problem: problem.message });
        }
      }),
    );
    if (!this.#closed && ids === this.#ids) {
      this.#paint();
    }
  }

  #paint() {
    const runs = this.#ids.map((id, i) => ({ id, ink: colour(i), ...this.#runs.get(id) }));
    const names = [...new Set(["loss", ...runs.flatMap((run) => (run.series ?? []).map((one) => one.name))])].sort();
    if (names.join("\n") !== [...this.#series.options].map((option) => option.value).join("\n")) {
      this.#series.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    }
    this.#series.value = this.#name;
    const drawable = runs.filter((run) => run.curve);
    for (const button of this.#axes.children) {
      button.disabled = drawable.length > 0 && !drawable.some((run) => place(button.dataset.axis, run));
      setAttribute(button, "aria-pressed", button.dataset.axis === this.#axis);
    }
    setAttribute(this.#logs, "aria-pressed", this.#log);
    const placed = drawable.filter((run) => place(this.#axis, run));
    const missing = drawable.length - placed.length;
    if (this.#ids.length === 0) {
      setText(this.#note, "Mark runs in the fleet with x, or add them here by their id.");
    } else {
      setText(this.#note, missing ? `${missing} of the runs did not say how much work a step is and cannot be shown by ${AXES[this.#axis].name}.` : "");
    }
    this.#panel.hidden = this.#ids.length === 0;
    this.#chart.show({
      axis: this.#axis,
      log: this.#log,
      weight: this.#weight,
      curves: placed.map((run) => ({ name: run.id, colour: run.ink, dash: this.#ids.indexOf(run.id) % 4, place: place(this.#axis, run), data: run.curve, flat: placed.length > 3 })),
    });
    this.#table.replaceChildren(...runs.map((run) => this.#row(run)));
  }

  #row(run) {
    const swatch = h("i", { class: "line" });
    swatch.style.borderTopColor = run.ink;
    swatch.style.borderTopStyle = ["solid", "dashed", "dotted", "dashed"][this.#ids.indexOf(run.id) % 4];
    const row = live.runs.get(run.id);
    const state = row ? health(row) : null;
    const means = (run.curve?.mean ?? []).filter((y) => y !== null);
    const best = means.length ? Math.min(...means) : null;
    const now = number(run.curve?.last ?? null);
    return h(
      "tr",
      null,
      h("td", null, swatch),
      h("td", null, h("a", { href: `#/run/${encodeURIComponent(run.id)}` }, bdi(run.id)), run.problem ? h("p", { class: "wrong" }, run.problem) : null),
      h("td", { class: state?.key }, state ? [icon(state.key), " ", state.word] : ""),
      h("td", { class: "number" }, whole(run.run?.last_step)),
      h("td", { class: "number" }, decimal(means[0] ?? null)),
      h("td", { class: "number" }, decimal(best)),
      h("td", { class: `number${now !== null && !Number.isFinite(now) ? " broken" : ""}` }, decimal(now)),
      h("td", null, h("button", { type: "button", title: "Take it out", "aria-label": `Take ${run.id} out`, onclick: () => this.#set(this.#ids.filter((id) => id !== run.id)) }, "✕")),
    );
  }
}
