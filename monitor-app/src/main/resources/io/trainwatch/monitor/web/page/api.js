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

let silences;

/** Whether this monitor takes acknowledgements and silences. Asked once. */
export function canSilence() {
  silences ??= fetch("/api/v1/silences", { credentials: "same-origin" })
    .then((answer) => answer.status === 200)
    .catch(() => {
      silences = undefined;
      return false;
    });
  return silences;
}
