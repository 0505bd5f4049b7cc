// Every run in one list, the sickest first. Only the rows in sight exist, so that thousands cost what thirty do.

import { bdi, h, setAttribute, setText } from "./dom.js";
import { compact, decimal, duration, number, plural, shortDuration, whole } from "./format.js";
import { health, icon, STATES } from "./health.js";
import { live } from "./live.js";
import { draw, sparkline } from "./sparkline.js";

/** Beyond the edges of the window, so that a flick does not run into nothing. */
const SPARE_ROWS = 6;
const MAX_MARKED = 8;

/** Groups of states that are worth a button: what a person counts. */
const TILES = [
  { key: "critical", word: "critical", states: ["critical"] },
  { key: "failed", word: "failed", states: ["failed"] },
  { key: "warning", word: "warning", states: ["warning"] },
  { key: "silent", word: "silent", states: ["silent"] },
  { key: "healthy", word: "healthy", states: ["healthy"] },
  { key: "completed", word: "ended", states: ["completed", "killed", "unknown"] },
];

/** What was chosen outlives a look at a run. */
const chosen = { states: new Set(), project: "", text: "", selected: null, marked: new Set() };

export function open(main, _argument, query) {
  return new Fleet(main, query);
}

class Fleet {
  #sentence = h("h1", { class: "sentence", "aria-live": "polite" });
  #tiles = new Map();
  #project = h("select", { "aria-label": "Project", onchange: () => this.#filter("project", this.#project.value) });
  #search = h("input", {
    type: "search",
    placeholder: "Search runs  ( / )",
    "aria-label": "Search runs by name, project, model or what is wrong",
    oninput: () => this.#filter("text", this.#search.value),
  });
  #compare = h("a", { class: "button", href: "#/compare", hidden: true });
  #count = h("span", { class: "quiet count" });
  #list = h("div", { class: "rows", role: "list", "aria-label": "Runs" });
  #empty = h("p", { class: "quiet", hidden: true });
  #rows = new Map();
  #order = [];
  /** Sick rows need more room than the others, which come after them. */
  #sick = 0;
  #tall = 0;
  #short = 0;
  #frame = 0;
  #stop;
  #clock;
  #aborted = new AbortController();

  constructor(main, query) {
    if (query.has("project")) {
      chosen.project = query.get("project");
    }
    const tiles = TILES.map((tile) => {
      const count = h("b", null, "0");
      const button = h(
        "button",
        { type: "button", class: `tile ${tile.key}`, "aria-pressed": "false", onclick: () => this.#toggle(tile) },
        icon(tile.key),
        count,
        h("span", null, tile.word),
      );
      this.#tiles.set(tile.key, { button, count });
      return button;
    });
    this.#search.value = chosen.text;
    main.append(
      this.#sentence,
      h("div", { class: "tiles", role: "group", "aria-label": "Show only" }, tiles),
      h("div", { class: "filters" }, this.#search, this.#project, this.#compare, this.#count),
      h(
        "div",
        { class: "row head", "aria-hidden": "true" },
        ["state", "run", "what is wrong", "loss", "now", "progress", "GPU lost"].map((name) => h("span", null, name)),
      ),
      this.#list,
      this.#empty,
    );
    const later = () => this.#schedule();
    addEventListener("scroll", later, { passive: true, signal: this.#aborted.signal });
    addEventListener("resize", later, { signal: this.#aborted.signal });
    this.#stop = live.follow(later);
    this.#clock = setInterval(later, 1000);
    this.#update();
  }

  close() {
    this.#stop();
    this.#aborted.abort();
    clearInterval(this.#clock);
    cancelAnimationFrame(this.#frame);
  }

  compare() {
    const query = new URLSearchParams([...chosen.marked].map((id) => ["run", id]));
    return `#/compare?${query}`;
  }

  key(key) {
    const at = this.#order.findIndex((row) => row.run_id === chosen.selected);
    if (key === "j" || key === "k") {
      const next = at < 0 ? 0 : Math.max(0, Math.min(this.#order.length - 1, at + (key === "j" ? 1 : -1)));
      this.#select(next);
    } else if (key === "Enter" && at >= 0 && document.activeElement === document.body) {
      location.hash = link(this.#order[at]);
    } else if (key === "x" && at >= 0) {
      this.#mark(this.#order[at].run_id);
    } else if (key === "Escape" && (chosen.text || chosen.states.size || chosen.project)) {
      this.#search.value = "";
      chosen.states.clear();
      chosen.project = "";
      this.#filter("text", "");
    } else {
      return false;
    }
    return true;
  }

  #filter(what, value) {
    chosen[what] = value;
    this.#update();
  }

  #toggle(tile) {
    if (!chosen.states.delete(tile.key)) {
      chosen.states.add(tile.key);
    }
    this.#update();
  }

  #mark(id) {
    if (!chosen.marked.delete(id) && chosen.marked.size < MAX_MARKED) {
      chosen.marked.add(id);
    }
    this.#update();
  }

  #select(index) {
    const row = this.#order[index];
    if (!row) {
      return;
    }
    chosen.selected = row.run_id;
    document.activeElement?.blur();
    const top = this.#list.getBoundingClientRect().top + this.#top(index);
    const height = this.#top(index + 1) - this.#top(index);
    const bar = document.getElementById("bar").offsetHeight;
    if (top < bar) {
      scrollBy(0, top - bar - 8);
    } else if (top + height > innerHeight) {
      scrollBy(0, top + height - innerHeight + 8);
    }
    this.#update();
  }

  /** Many changes in one frame are one. */
  #schedule() {
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#update();
      });
    }
  }

  #update() {
    const all = [...live.runs.values()].map((row) => ({ row, state: health(row) }));
    this.#tell(all);
    const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    const states = TILES.filter((tile) => chosen.states.has(tile.key)).flatMap((tile) => tile.states);
    const wanted = all.filter(
      ({ row, state }) =>
        (states.length === 0 || states.includes(state.key)) &&
        (chosen.project === "" || row.project === chosen.project) &&
        words.every((word) => haystack(row).includes(word)),
    );
    wanted.sort(
      (a, b) =>
        a.state.rank - b.state.rank ||
        (a.state.sick ? since(b.row) - since(a.row) : 0) ||
        b.row.started_at_ms - a.row.started_at_ms ||
        (a.row.run_id < b.row.run_id ? -1 : 1),
    );
    this.#order = wanted.map(({ row }) => row);
    setText(this.#count, wanted.length === all.length ? "" : `${whole(wanted.length)} of ${whole(all.length)} shown`);
    this.#empty.hidden = wanted.length > 0;
    setText(
      this.#empty,
      all.length === 0
        ? "No run yet: none has sent an event that this monitor judges."
        : "No run is like that. Esc shows all of them.",
    );
    this.#compare.hidden = chosen.marked.size === 0;
    setText(this.#compare, `Compare ${chosen.marked.size}  ( c )`);
    setAttribute(this.#compare, "href", this.compare());
    this.#paint(wanted);
  }

  #tell(all) {
    const counts = Object.fromEntries(STATES.map((state) => [state.key, 0]));
    const projects = new Set();
    let worst = null;
    for (const one of all) {
      counts[one.state.key]++;
      if (one.row.project) {
        projects.add(one.row.project);
      }
      if (one.state.sick && (!worst || one.state.rank < worst.state.rank || (one.state.rank === worst.state.rank && since(one.row) > since(worst.row)))) {
        worst = one;
      }
    }
    for (const tile of TILES) {
      const { button, count } = this.#tiles.get(tile.key);
      const sum = tile.states.reduce((n, key) => n + counts[key], 0);
      setText(count, whole(sum));
      button.classList.toggle("none", sum === 0);
      setAttribute(button, "aria-pressed", chosen.states.has(tile.key));
    }
    const sick = all.filter((one) => one.state.sick).length;
    this.#say(sick, all.length, worst);
    const names = ["", ...[...projects].sort()];
    if (this.#project.options.length !== names.length || names.some((name, i) => this.#project.options[i].value !== name)) {
      this.#project.replaceChildren(...names.map((name) => h("option", { value: name }, name || "all projects")));
    }
    this.#project.value = chosen.project;
  }

  #say(sick, all, worst) {
    const key = worst ? `${sick} ${worst.row.run_id} ${ago(worst.row)} ${reason(worst.row)}` : `${all}`;
    if (this.#sentence.dataset.key === key) {
      return;
    }
    this.#sentence.dataset.key = key;
    this.#sentence.className = `sentence ${worst ? worst.state.key : "healthy"}`;
    if (worst) {
      this.#sentence.replaceChildren(
        icon(worst.state.key),
        h("span", null, `${whole(sick)} of ${plural(all, "run is", "runs are")} sick`),
        h("a", { class: "latest", href: link(worst.row) }, bdi(name(worst.row)), ` ${worst.state.word} for ${ago(worst.row)}`),
        bdi(reason(worst.row), { class: "reason" }),
      );
    } else {
      this.#sentence.replaceChildren(
        icon("healthy"),
        h("span", null, all === 0 ? "Waiting for the first run" : all === 1 ? "The one run is well" : `All ${whole(all)} runs are well`),
      );
    }
  }

  /** Distance of a row from the first one, in px. */
  #top(index) {
    return Math.min(index, this.#sick) * this.#tall + Math.max(0, index - this.#sick) * this.#short;
  }

  /** The row at a distance. */
  #at(px) {
    const tall = this.#sick * this.#tall;
    return px < tall ? Math.floor(px / this.#tall) : this.#sick + Math.floor((px - tall) / this.#short);
  }

  #paint(wanted) {
    const style = getComputedStyle(this.#list);
    this.#tall = parseFloat(style.getPropertyValue("--tall"));
    this.#short = parseFloat(style.getPropertyValue("--short"));
    this.#sick = wanted.filter(({ state }) => state.sick).length;
    const total = `${this.#top(wanted.length)}px`;
    if (this.#list.style.height !== total) {
      this.#list.style.height = total;
    }
    const top = -this.#list.getBoundingClientRect().top;
    const first = Math.max(0, this.#at(top) - SPARE_ROWS);
    const last = Math.min(wanted.length, this.#at(top + innerHeight) + SPARE_ROWS);
    const shown = wanted.slice(first, last);
    const kept = new Set(shown.map(({ row }) => row.run_id));
    for (const [id, line] of this.#rows) {
      if (!kept.has(id)) {
        line.element.remove();
        this.#rows.delete(id);
      }
    }
    // The tab key and screen readers go through the rows as the eye does.
    const focused = document.activeElement;
    let next = this.#list.firstChild;
    shown.forEach(({ row, state }, i) => {
      let line = this.#rows.get(row.run_id);
      if (!line) {
        line = new Line(row.run_id, () => this.#mark(row.run_id));
        this.#rows.set(row.run_id, line);
      }
      if (line.element === next) {
        next = next.nextSibling;
      } else {
        this.#list.insertBefore(line.element, next);
      }
      line.show(row, state, first + i, this.#top(first + i), wanted.length);
    });
    if (focused !== document.activeElement && this.#list.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  }
}

/** One row. Its parts are made once and then only changed. */
class Line {
  #icon = h("span", { class: "shape" });
  #word = h("b");
  #since = h("span", { class: "quiet since" });
  #name = bdi("", { class: "name" });
  #where = bdi("", { class: "quiet where" });
  #what = bdi("", { class: "what" });
  #cause = bdi("", { class: "quiet cause" });
  #spark = sparkline();
  #loss = h("span", { class: "number loss" });
  #bar = h("progress", { max: 1, value: 0 });
  #step = h("span", { class: "number step" });
  #left = h("span", { class: "quiet left" });
  #lost = h("span", { class: "number lost" });
  #box;
  #row = null;
  element;

  constructor(id, mark) {
    this.#box = h("input", { type: "checkbox", title: "Mark for comparison (x)", "aria-label": "Mark for comparison", onchange: mark });
    this.element = h(
      "div",
      { class: "row", role: "listitem" },
      h("span", { class: "state" }, this.#icon, h("span", { class: "stack" }, this.#word, this.#since)),
      h("a", { class: "run stack", href: link({ run_id: id }) }, this.#name, this.#where),
      h("span", { class: "why stack" }, this.#what, this.#cause),
      this.#spark,
      this.#loss,
      h("span", { class: "progress stack" }, this.#step, this.#bar, this.#left),
      this.#lost,
      h("label", { class: "mark" }, this.#box),
    );
  }

  show(row, state, index, top, size) {
    const position = `translateY(${top}px)`;
    if (this.element.style.transform !== position) {
      this.element.style.transform = position;
      setAttribute(this.element, "aria-posinset", index + 1);
    }
    setAttribute(this.element, "aria-setsize", size);
    setAttribute(this.element, "class", `row ${state.key}${row.run_id === chosen.selected ? " selected" : ""}`);
    this.#box.checked = chosen.marked.has(row.run_id);
    setText(this.#since, state.sick ? `for ${ago(row)}` : ago(row));
    setAttribute(this.#since, "title", row.worst ? `since step ${whole(row.worst.onset_step)}` : null);
    if (row === this.#row) {
      return;
    }
    this.#row = row;
    if (this.#word.textContent !== state.word) {
      this.#icon.replaceChildren(icon(state.key));
      this.#word.textContent = state.word;
    }
    setText(this.#name, name(row));
    setAttribute(this.#name, "title", row.run_id);
    setText(this.#where, [row.project, row.model].filter(Boolean).join(" · "));
    const worst = row.worst;
    const what = reason(row);
    setText(this.#what, what);
    setAttribute(this.#what, "title", what || null);
    const more = (row.critical ?? 0) + (row.warning ?? 0) + (row.info ?? 0) - 1;
    const cause = worst?.cause ? `likely: ${worst.cause}` : worst ? worst.detector : "";
    setText(this.#cause, more > 0 ? `${cause}  (+${more} more)` : cause);
    draw(this.#spark, row.spark);
    const loss = number(row.loss);
    setText(this.#loss, decimal(row.loss));
    this.#loss.classList.toggle("broken", loss !== null && !Number.isFinite(loss));
    const done = row.max_steps ? Math.min(1, (row.last_step ?? 0) / row.max_steps) : 0;
    this.#bar.hidden = !row.max_steps;
    this.#bar.value = done;
    const step = row.last_step === undefined ? "" : whole(row.last_step);
    setText(this.#step, row.max_steps ? `${step || 0} / ${compact(row.max_steps)}` : step && `step ${step}`);
    setText(this.#left, row.seconds_left === undefined ? "" : `${duration(row.seconds_left)} left`);
    setText(this.#lost, row.accelerator_seconds_lost ? shortDuration(row.accelerator_seconds_lost) : "");
  }
}

function link(row) {
  return `#/run/${encodeURIComponent(row.run_id)}`;
}

/** What is wrong with a run; "" if nothing is. */
function reason(row) {
  return row.worst?.message ?? row.ending ?? "";
}

/** A name that several runs share says less than the id. */
function name(row) {
  return row.name && row.name !== row.run_id ? `${row.name} (${row.run_id})` : row.run_id;
}

/** When it became as sick as it is, epoch milliseconds. */
function since(row) {
  return row.worst && row.worst.severity !== "info" ? row.worst.opened_at_ms : row.last_event_at_ms;
}

function ago(row) {
  const state = health(row);
  if (!state.sick) {
    return state.key === "healthy" ? "" : `${shortDuration((live.now() - row.last_event_at_ms) / 1000)} ago`;
  }
  return shortDuration((live.now() - since(row)) / 1000);
}

const haystacks = new WeakMap();

function haystack(row) {
  let text = haystacks.get(row);
  if (text === undefined) {
    text = [row.run_id, row.name, row.project, row.model, row.worst?.message, row.worst?.detector].join(" ").toLowerCase();
    haystacks.set(row, text);
  }
  return text;
}
