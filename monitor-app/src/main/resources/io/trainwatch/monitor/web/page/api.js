// Asks the monitor.

/** Why the monitor did not answer, as it says itself. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function ask(path, options) {
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, problem.detail ?? `the monitor answered ${answer.status}`);
  }
  return answer.status === 204 ? null : answer.json();
}

export function get(path, signal) {
  return ask(path, { signal });
}

export function post(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
}

export function remove(path) {
  return ask(path, { method: "DELETE" });
}

/** Where a run is in the API. */
export function runPath(id, rest = "") {
  return `/api/v1/runs/${encodeURIComponent(id)}${rest}`;
}

let held;

/**
 * What people said is not to be told: {silences, acknowledged: Map of alert_id}. Null where this monitor takes neither.
 * Asked once, and again after {@code changed}.
 */
export function paging() {
  held ??= fetch("/api/v1/silences", { credentials: "same-origin" })
    .then(async (answer) => {
      if (answer.status !== 200) {
        return null;
      }
      const { silences = [] } = await answer.json();
      const { acknowledgements = [] } = await get("/api/v1/acknowledgements");
      return { silences, acknowledged: new Map(acknowledgements.map((one) => [one.alert_id, one])) };
    })
    .catch(() => {
      held = undefined;
      return null;
    });
  return held;
}

/** Forgets what was asked, and tells the page. */
export function pagingChanged() {
  held = undefined;
  dispatchEvent(new Event("pagingchange"));
}
