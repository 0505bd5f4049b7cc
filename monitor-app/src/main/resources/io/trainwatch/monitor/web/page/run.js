// One run: what is wrong with it and why, beside its curves.

import { alertCard, isOpen } from "./alert.js";
import { get, runPath } from "./api.js";
import { AXES, Chart, colour, HeatChart, place } from "./chart.js";
import { bdi, h, setAttribute, setText } from "./dom.js";
import { decimal, duration, moment, number, plural, shortDuration, whole } from "./format.js";
import { health, icon } from "./health.js";
import { live } from "./live.js";

/** Charts that are there without being asked for. */
const SHOWN = 8;
const POINTS = 400;
const chosen = { axis: "step", weight: 0, logs: new Map() };

export function open(main, id) {
  return new Run(main, id);
}

class Run {
  #id;
  #head = h("div", { class: "heading" });
  #facts = h("dl", { class: "facts" });
  #alerts = h("section", { class: "episodes", "aria-label": "What is wrong" });
  #story = h("section", { "aria-label": "What happened" });
  #unchecked = h("section", { "aria-label": "Not checked" });
  #charts = h("div", { class: "charts" });
  #tools = h("div", { class: "filters tools" });
  #more = h("div", { class: "chips" });
  #heat = h("div", { class: "charts" });
  #plots = new Map();
  #heats = new Map();
  #extra = new Set();
  #selected = null;
  #data = null;
  #stop;
  #clock;
  #asking = false;
  #again = false;
  #closed = false;
  #aborted = new AbortController();

  constructor(main, id) {
    this.#id = id;
    main.append(
      this.#head,
      this.#facts,
      h("div", { class: "columns" }, h("div", { class: "side" }, this.#alerts, this.#unchecked, this.#story), h("div", { class: "curves" }, this.#tools, this.#charts, this.#heat, this.#more)),
    );
    this.#stop = live.follow((change) => {
      if (change.changed === null || change.changed.includes(id)) {
        this.#load();
      }
    });
    this.#clock = setInterval(() => this.#data && this.#tick(), 1000);
    addEventListener("themechange", () => this.#data && this.#draw(), { signal: this.#aborted.signal });
    this.#load();
  }

  close() {
    this.#closed = true;
    this.#stop();
    this.#aborted.abort();
    clearInterval(this.#clock);
    this.#plots.forEach((plot) => plot.chart.close());
    this.#heats.forEach((chart) => chart.close());
  }

  title() {
    return this.#id;
  }

  compare() {
    return `#/compare?${new URLSearchParams([["run", this.#id]])}`;
  }

  key(key) {
    const open = this.#numbered();
    if (key === "j" || key === "k") {
      const at = open.findIndex((alert) => alert.alert_id === this.#selected);
      const next = open[at < 0 ? 0 : Math.max(0, Math.min(open.length - 1, at + (key === "j" ? 1 : -1)))];
      if (next) {
        this.#select(next.alert_id);
      }
      return true;
    }
    if (key === "Escape" && this.#selected) {
      this.#select(null);
      return true;
    }
    return false;
  }

  async #load() {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      const [run, alerts, story] = await Promise.all([
        get(runPath(this.#id), this.#aborted.signal),
        get(runPath(this.#id, "/alerts"), this.#aborted.signal),
        get(runPath(this.#id, "/story"), this.#aborted.signal),
      ]);
      this.#data = { ...run, alerts: alerts.alerts, story: story.story, forgotten: story.forgotten, series: run.series };
      this.#data.heat = run.heat_maps ? (await get(runPath(this.#id, "/heatmaps"), this.#aborted.signal)).heat_maps : [];
      await this.#curves();
      this.#paint();
    } catch (problem) {
      if (!this.#closed) {
        this.#head.replaceChildren(h("h1", null, bdi(this.#id)), h("p", { class: "wrong" }, problem.message), h("a", { href: "#/" }, "Back to the fleet"));
      }
    } finally {
      this.#asking = false;
    }
    if (this.#again && !this.#closed) {
      this.#again = false;
      this.#load();
    }
  }

  async #curves() {
    const groups = grouped(this.#data.series.map((one) => one.name));
    const shown = groups.filter((group, i) => i < SHOWN || this.#extra.has(group.key));
    const names = shown.flatMap((group) => group.names).slice(0, 64);
    const query = names.map((name) => `name=${encodeURIComponent(name)}`).join("&");
    const answer = query ? await get(runPath(this.#id, `/series?points=${POINTS}&${query}`), this.#aborted.signal) : { series: [] };
    this.#data.groups = groups;
    this.#data.shown = shown;
    this.#data.curves = new Map(answer.series.map((one) => [one.name, one]));
    if (this.#data.curves.has("step_time_seconds")) {
      this.#data.curves.set("throughput", inverse(this.#data.curves.get("step_time_seconds")));
    } else {
      const pace = paceOf(this.#data.elapsed);
      if (pace) {
        this.#data.curves.set("throughput", pace);
      }
    }
  }

  #paint() {
    if (this.#closed) {
      return;
    }
    this.#header();
    this.#sayWhatIsWrong();
    this.#sayWhatHappened();
    this.#sayWhatIsUnchecked();
    this.#toolbar();
    this.#draw();
  }

  #tick() {
    this.#header();
    this.#alerts.querySelectorAll("article").forEach((card) => card.tick(live.now()));
  }

  #header() {
    const run = this.#data.run;
    const row = live.runs.get(this.#id) ?? { ...run, critical: 0 };
    const state = health(row);
    const worst = row.worst && row.worst.severity !== "info" ? row.worst : null;
    const key = `${state.key} ${worst?.alert_id} ${run.run_name} ${run.attempt}`;
    if (this.#head.dataset.key !== key) {
      this.#head.dataset.key = key;
      this.#head.className = `heading ${state.key}`;
      this.#head.replaceChildren(
        icon(state.key),
        h(
          "div",
          { class: "stack" },
          h("h1", null, bdi(run.run_name && run.run_name !== run.run_id ? run.run_name : run.run_id)),
          h("p", { class: "quiet" }, bdi([run.run_name && run.run_name !== run.run_id ? run.run_id : null, run.project, run.model_name, run.attempt ? `attempt ${run.attempt}` : null].filter(Boolean).join(" · "))),
        ),
        h("div", { class: "verdict stack" }, h("b", null, state.word, h("span", { class: "since" })), worst ? bdi(worst.message, { class: "message" }) : null),
      );
    }
    const since = this.#head.querySelector(".since");
    setText(since, worst ? ` for ${shortDuration((live.now() - worst.opened_at_ms) / 1000)}` : "");
    const facts = {
      step: run.last_step === null || run.last_step === undefined ? "" : `${whole(run.last_step)}${run.max_steps ? ` of ${whole(run.max_steps)}` : ""}`,
      loss: decimal(run.loss),
      "val loss": decimal(run.eval_loss),
      "grad norm": decimal(run.grad_norm),
      "learning rate": decimal(run.learning_rate),
      "time left": row.seconds_left === undefined ? "" : duration(row.seconds_left),
      "GPU time lost": row.accelerator_seconds_lost ? duration(row.accelerator_seconds_lost) : "",
      "last event": run.last_event_at_ms ? `${shortDuration((live.now() - run.last_event_at_ms) / 1000)} ago` : "",
      started: moment(run.started_at_ms),
    };
    if (!this.#facts.children.length) {
      this.#facts.append(...Object.keys(facts).map((name) => h("div", { "data-fact": name }, h("dt", null, name), h("dd", { class: "number" }))));
    }
    for (const box of this.#facts.children) {
      const text = facts[box.dataset.fact];
      setText(box.lastChild, text || "–");
      box.lastChild.classList.toggle("broken", ["NaN", "∞", "−∞"].includes(text));
    }
  }

  /** Episodes in the order in which they began: their place is their number in the charts. */
  #numbered() {
    return [...this.#data.alerts].filter((alert) => isOpen(alert) || alert.severity !== "info").sort((a, b) => a.opened_at_ms - b.opened_at_ms);
  }

  #sayWhatIsWrong() {
    const numbered = this.#numbered();
    const key = numbered.map((alert) => `${alert.alert_id}${alert.state}${alert.changed_at_ms}${alert.severity}`).join();
    if (this.#alerts.dataset.key === key && this.#alerts.children.length) {
      return;
    }
    this.#alerts.dataset.key = key;
    const rank = { critical: 0, warning: 1, info: 2 };
    const shown = [...numbered].sort((a, b) => isOpen(b) - isOpen(a) || rank[a.severity] - rank[b.severity] || a.opened_at_ms - b.opened_at_ms);
    const unfolded = new Set([...this.#alerts.querySelectorAll('.head[aria-expanded="true"]')].map((head) => head.parentElement.dataset.alert));
    const first = !this.#alerts.children.length && shown.length && isOpen(shown[0]) ? shown[0].alert_id : null;
    const cards = shown.map((alert) =>
      alertCard(alert, {
        number: numbered.indexOf(alert) + 1,
        now: live.now(),
        unfolded: unfolded.has(alert.alert_id) || alert.alert_id === first,
        onselect: (one, on) => this.#mark(on ? one.alert_id : null),
      }),
    );
    const open = shown.filter(isOpen).length;
    this.#alerts.replaceChildren(
      h("h2", null, open ? "What is wrong" : shown.length ? "What was wrong" : "Nothing is wrong"),
      ...(shown.length ? cards : [h("p", { class: "quiet" }, "Every detector that could judge is content.")]),
    );
    this.#mark(this.#selected);
  }

  #mark(id) {
    this.#selected = id;
    this.#alerts.querySelectorAll("article").forEach((card) => card.classList.toggle("selected", card.dataset.alert === id));
    this.#draw();
  }

  #select(id) {
    this.#mark(id);
    const card = [...this.#alerts.querySelectorAll("article")].find((one) => one.dataset.alert === id);
    card?.scrollIntoView({ block: "nearest" });
    if (card?.querySelector(".details").hidden) {
      card.querySelector(".head").click();
    }
  }

  #sayWhatHappened() {
    const story = this.#data.story;
    const key = `${story.length} ${story[story.length - 1]?.timestamp_ms}`;
    if (this.#story.dataset.key === key) {
      return;
    }
    this.#story.dataset.key = key;
    const words = { alert_opened: "alert", alert_resolved: "resolved", best_evaluation: "best", checkpoint_saved: "checkpoint", checkpoint_loaded: "loaded", phase_changed: "phase", preflight_completed: "pre-flight", command_acknowledged: "command" };
    this.#story.replaceChildren(
      h("h2", null, "What happened"),
      h(
        "ol",
        { class: "story" },
        [...story].reverse().map((entry) =>
          h(
            "li",
            { class: entry.kind },
            h("span", { class: "quiet number" }, entry.step === undefined ? "" : whole(entry.step)),
            h("b", null, words[entry.kind] ?? entry.kind),
            h("span", { title: moment(entry.timestamp_ms) }, entry.detector ? `${entry.detector}: ` : "", bdi(entry.text)),
          ),
        ),
      ),
      this.#data.forgotten ? h("p", { class: "quiet" }, `${whole(this.#data.forgotten)} earlier ones are forgotten.`) : "",
    );
  }

  #sayWhatIsUnchecked() {
    const unchecked = this.#data.run.not_checked ?? [];
    const key = JSON.stringify(unchecked);
    if (this.#unchecked.dataset.key === key) {
      return;
    }
    this.#unchecked.dataset.key = key;
    this.#unchecked.hidden = unchecked.length === 0;
    const missing = new Map();
    unchecked.forEach((one) => missing.set(one.missing, [...(missing.get(one.missing) ?? []), one.detector]));
    this.#unchecked.replaceChildren(
      h(
        "details",
        { class: "panel" },
        h("summary", null, h("b", null, "Not checked: "), plural(unchecked.length, "detector", "detectors")),
        h("p", { class: "quiet" }, "They are silent because the run does not send what they need, not because all is well."),
        h("dl", null, [...missing].map(([what, detectors]) => [h("dt", null, bdi(what)), h("dd", null, detectors.join(", "))]).flat()),
      ),
    );
  }

  #toolbar() {
    if (!this.#tools.children.length) {
      const axes = h(
        "span",
        { class: "switch", role: "group", "aria-label": "Horizontal axis" },
        Object.keys(AXES).map((axis) =>
          h("button", { type: "button", "data-axis": axis, onclick: () => { chosen.axis = axis; this.#toolbar(); this.#draw(); } }, AXES[axis].name),
        ),
      );
      const smooth = h("input", {
        type: "range",
        min: 0,
        max: 0.95,
        step: 0.05,
        value: chosen.weight,
        "aria-label": "Smoothing",
        oninput: () => {
          chosen.weight = Number(smooth.value);
          this.#draw();
        },
      });
      this.#tools.append(axes, h("label", { class: "smooth" }, "smooth ", smooth), h("a", { class: "button", href: this.compare() }, "Compare  ( c )"));
    }
    for (const button of this.#tools.querySelectorAll("[data-axis]")) {
      button.hidden = place(button.dataset.axis, this.#data) === null;
      setAttribute(button, "aria-pressed", button.dataset.axis === this.#axis());
    }
    const hidden = this.#data.groups.filter((group, i) => i >= SHOWN);
    const key = hidden.map((group) => group.key).join() + [...this.#extra].join();
    if (this.#more.dataset.key !== key) {
      this.#more.dataset.key = key;
      this.#more.replaceChildren(
        ...(hidden.length ? [h("h2", null, "More series")] : []),
        ...hidden.map((group) =>
          h(
            "button",
            {
              type: "button",
              "aria-pressed": String(this.#extra.has(group.key)),
              onclick: () => {
                if (!this.#extra.delete(group.key)) {
                  this.#extra.add(group.key);
                }
                this.#load();
              },
            },
            bdi(group.title),
          ),
        ),
      );
    }
  }

  #axis() {
    return place(chosen.axis, this.#data) === null ? "step" : chosen.axis;
  }

  #draw() {
    if (this.#closed || !this.#data?.shown) {
      return;
    }
    const axis = this.#axis();
    const where = place(axis, this.#data);
    const last = this.#data.run.last_step ?? 0;
    const bands = this.#numbered()
      .map((alert, i) => ({ alert, digit: i + 1 }))
      .filter(({ alert }) => alert.severity !== "info" || alert.alert_id === this.#selected)
      .map(({ alert, digit }) => {
        const from = alert.onset_step ?? alert.opened_step ?? 0;
        const to = isOpen(alert) ? last : (alert.resolved_step ?? alert.last_step ?? from);
        return { from: where(from), to: where(Math.max(from, to)), severity: alert.severity, digit, strong: alert.alert_id === this.#selected };
      });
    const marks = this.#data.story
      .filter((entry) => (entry.kind === "resumed" || entry.kind === "phase_changed") && entry.step !== undefined)
      .slice(-12)
      .map((entry) => ({ at: where(entry.step), text: entry.kind === "resumed" ? "resume" : short(entry.text) }));
    const wanted = this.#data.curves.has("throughput") ? [...this.#data.shown, THROUGHPUT] : this.#data.shown;
    wanted.sort((a, b) => a.rank - b.rank);
    const kept = new Set();
    for (const group of wanted) {
      const names = group.names.filter((name) => this.#data.curves.has(name));
      if (!names.length) {
        continue;
      }
      kept.add(group.key);
      const plot = this.#plots.get(group.key) ?? this.#plot(group);
      const log = chosen.logs.get(group.key) ?? (group.log || (group.key === "loss" && exploded(names.map((name) => this.#data.curves.get(name)))));
      setAttribute(plot.log, "aria-pressed", log);
      const curves = names.slice(0, 8).map((name, i) => ({
        name: label(name, group),
        colour: colour(i),
        dash: Math.floor(i / 4),
        place: where,
        data: this.#data.curves.get(name),
      }));
      plot.legend.replaceChildren(
        ...curves.map((curve) => {
          const swatch = h("i", { class: "swatch" });
          swatch.style.background = curve.colour;
          const value = number(curve.data.last);
          return h("span", { class: value !== null && !Number.isFinite(value) ? "broken" : "" }, swatch, curves.length > 1 ? bdi(curve.name) : null, " ", h("b", { class: "number" }, decimal(curve.data.last)));
        }),
      );
      plot.chart.show({ axis, log, weight: chosen.weight, curves, bands, marks });
    }
    for (const map of this.#data.heat) {
      let chart = this.#heats.get(map.title);
      if (!chart) {
        chart = new HeatChart(`${map.title} over steps`);
        this.#heats.set(map.title, chart);
        this.#heat.append(h("section", { class: "panel chart heat", "aria-label": map.title }, h("header", null, h("h2", null, map.title)), chart.element));
      }
      chart.show(map);
    }
    for (const [key, plot] of this.#plots) {
      if (!kept.has(key)) {
        plot.chart.close();
        plot.card.remove();
        this.#plots.delete(key);
      }
    }
  }

  #plot(group) {
    const chart = new Chart("run", `${group.title} over steps`);
    const log = h(
      "button",
      {
        type: "button",
        class: "log",
        title: "Logarithmic axis",
        onclick: () => {
          chosen.logs.set(group.key, log.getAttribute("aria-pressed") !== "true");
          this.#draw();
        },
      },
      "log",
    );
    const legend = h("span", { class: "legend" });
    const card = h("section", { class: `panel chart${group.key === "loss" ? " wide" : ""}`, "aria-label": group.title }, h("header", null, h("h2", null, bdi(group.title)), legend, log), chart.element);
    const plot = { chart, card, legend, log, rank: group.rank };
    this.#plots.set(group.key, plot);
    const after = [...this.#plots.values()].filter((other) => other !== plot && other.rank > group.rank).sort((a, b) => a.rank - b.rank)[0];
    this.#charts.insertBefore(card, after?.card ?? null);
    return plot;
  }
}

const THROUGHPUT = { key: "throughput", title: "throughput, steps/s", names: ["throughput"], log: false, rank: 3 };

/** Series that mean the same in one chart: "loss" and "val/loss", "metrics/accuracy" and "val/accuracy". */
function grouped(names) {
  const known = {
    loss: { title: "loss", log: false, rank: 0 },
    grad_norm: { title: "gradient norm", log: true, rank: 1 },
    learning_rate: { title: "learning rate", log: false, rank: 2 },
    step_time_seconds: { title: "step time, s", log: false, rank: 4 },
    losses: { title: "losses", log: false, rank: 5 },
  };
  const groups = new Map();
  for (const name of names) {
    const parts = name.split("/");
    const key = parts[0] === "losses" ? "losses" : parts.length > 1 && name.endsWith("/loss") ? "loss" : parts.length > 1 ? parts.slice(1).join("/") : name;
    const group = groups.get(key) ?? { key, title: key, log: false, rank: 10 + groups.size, names: [], ...known[key] };
    group.names.push(name);
    groups.set(key, group);
  }
  for (const group of groups.values()) {
    group.names.sort((a, b) => (a === group.key ? -1 : b === group.key ? 1 : a.startsWith("metrics/") ? -1 : b.startsWith("metrics/") ? 1 : a < b ? -1 : 1));
  }
  return [...groups.values()].sort((a, b) => a.rank - b.rank);
}

function label(name, group) {
  if (name === group.key) {
    return group.names.length > 1 ? "train" : group.title;
  }
  if (group.key === "losses") {
    return name.slice("losses/".length);
  }
  const first = name.split("/")[0];
  return first === "metrics" ? "train" : first;
}

/** What left its range this far leaves nothing else to see on a linear axis. */
function exploded(curves) {
  const means = curves.flatMap((curve) => curve.mean).filter((y) => y !== null);
  const low = Math.min(...means);
  return low > 0 && Math.max(...means) > 10_000 * low;
}

/** Steps a second out of seconds a step: the extremes change places. */
function inverse(curve) {
  const over = (y) => (y === null || y <= 0 ? null : 1 / y);
  return { ...curve, last: over(number(curve.last)), min: curve.max.map(over), mean: curve.mean.map(over), max: curve.min.map(over) };
}

/** Steps a second between the points of the clock. */
function paceOf(elapsed) {
  const { step = [], seconds = [] } = elapsed ?? {};
  const pace = [];
  for (let i = 1; i < step.length; i++) {
    const time = seconds[i] - seconds[i - 1];
    pace.push(time > 0 ? (step[i] - step[i - 1]) / time : null);
  }
  if (!pace.some((one) => one !== null)) {
    return null;
  }
  const flat = pace.map((one, i) => one ?? pace[i - 1] ?? null);
  return { name: "throughput", last: flat[flat.length - 1], step: step.slice(1), min: flat, mean: flat, max: flat };
}

function short(text) {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}
