// What the monitor knows, kept up to date: the fleet once, then every change as a server-sent event.

import { get } from "./api.js";

/** Nothing came for so long though "alive" comes every 5 s: the connection is dead without saying so. */
const SILENCE_MS = 15_000;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

class Live {
  /** Rows by run_id. */
  runs = new Map();
  /** "loading", "live", "lost", "locked" (needs the token). */
  state = "loading";
  /** Why the monitor, or another instance of it, does not judge; null while all do. */
  trouble = null;

  #id = null;
  #focus = null;
  #stream = null;
  #retryMs = FIRST_RETRY_MS;
  #retry = 0;
  #watch = 0;
  #ahead = 0;
  #listeners = new Set();

  /** Calls back after each change with {changed: ids, alarm}; answers how to stop that. */
  follow(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Time of the monitor, epoch milliseconds: a screen whose clock is wrong still says "since 3 min". */
  now() {
    return Date.now() + this.#ahead;
  }

  /** The run whose every change is wanted at once, null for none. */
  focus(run) {
    if (this.#focus !== run) {
      this.#focus = run;
      if (this.#stream) {
        this.#connect();
      }
    }
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#pause() : this.resume()));
    return this.resume();
  }

  /** Connects, from where it was left. */
  async resume() {
    clearTimeout(this.#retry);
    if (document.hidden && this.state !== "loading") {
      return;
    }
    try {
      if (this.#id === null) {
        await this.#load();
      }
      this.#connect();
    } catch (problem) {
      this.#lost(problem.status === 401 ? "locked" : "lost");
    }
  }

  async #load() {
    const fleet = await get("/api/v1/fleet");
    this.#id = fleet.id;
    this.#clock(fleet);
    this.runs = new Map();
    [fleet, ...(fleet.others ?? [])].forEach((part) => this.#put(part));
    this.#tell({ changed: null, alarm: true });
  }

  /** Takes what one instance says; a run that is gone there may have come to another one meanwhile. */
  #put({ instance = "", runs, gone = [] }) {
    runs.forEach((row) => this.runs.set(row.run_id, { ...row, instance }));
    gone.filter((id) => this.runs.get(id)?.instance === instance).forEach((id) => this.runs.delete(id));
  }

  #connect() {
    this.#stream?.close();
    const focus = this.#focus === null ? "" : `&focus=${encodeURIComponent(this.#focus)}`;
    const stream = new EventSource(`/api/v1/stream?after=${encodeURIComponent(this.#id)}${focus}`);
    this.#stream = stream;
    const heard = (event) => {
      if (stream !== this.#stream) {
        return null;
      }
      this.#heard();
      return JSON.parse(event.data);
    };
    stream.addEventListener("alive", (event) => {
      const message = heard(event);
      if (message) {
        const before = this.trouble;
        this.#clock(message);
        if (before !== this.trouble) {
          this.#tell({ changed: [], alarm: false });
        }
      }
    });
    stream.addEventListener("fleet", (event) => {
      const message = heard(event);
      if (message) {
        this.#id = message.id;
        this.#put(message);
        this.#tell({ changed: message.runs.map((row) => row.run_id).concat(message.gone), alarm: message.alarm });
      }
    });
    stream.addEventListener("reset", (event) => {
      if (heard(event)) {
        this.#id = null;
        this.#stream.close();
        this.resume();
      }
    });
    stream.onerror = () => {
      if (stream === this.#stream) {
        this.#lost("lost");
      }
    };
    this.#watchOver();
  }

  #heard() {
    this.#retryMs = FIRST_RETRY_MS;
    this.#watchOver();
    if (this.state !== "live") {
      this.state = "live";
      this.#tell({ changed: [], alarm: false });
    }
  }

  #watchOver() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lost("lost"), SILENCE_MS);
  }

  #pause() {
    this.#stream?.close();
    this.#stream = null;
    clearTimeout(this.#watch);
    clearTimeout(this.#retry);
  }

  #lost(state) {
    this.#pause();
    this.state = state;
    this.#tell({ changed: [], alarm: false });
    if (state === "lost") {
      this.#retry = setTimeout(() => this.#again(), this.#retryMs);
      this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
    }
  }

  /** A stream does not say why it ended; a request does. */
  async #again() {
    try {
      if (this.#id !== null) {
        await get("/api/v1/alerts?limit=1");
      }
      await this.resume();
    } catch (problem) {
      this.#lost(problem.status === 401 ? "locked" : "lost");
    }
  }

  #clock(message) {
    this.#ahead = message.now_ms - Date.now();
    const troubles = Object.entries(message.others_not_ready ?? {}).map(
      ([instance, what]) => `The instance at ${instance} ${what}; its runs are shown as they last were.`,
    );
    if (message.not_ready) {
      troubles.unshift(`The monitor does not judge now: ${message.not_ready}`);
    }
    this.trouble = troubles.join(" ") || null;
  }

  #tell(change) {
    this.#listeners.forEach((listener) => listener(change));
  }
}

export const live = new Live();
