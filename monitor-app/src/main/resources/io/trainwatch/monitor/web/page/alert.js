// One episode as a card: what, since when, why, and what to do about it.

import { paging, pagingChanged, post } from "./api.js";
import { bdi, h, setText } from "./dom.js";
import { decimal, duration, moment, whole } from "./format.js";
import { icon } from "./health.js";

export function isOpen(alert) {
  return alert.state !== "resolved";
}

/**
 * The card; its tick(now) brings the time it shows up to date.
 *
 * @param options {number} of the episode in the charts, {run} to name and link it, {now} of the monitor in ms, {unfolded},
 *     {onselect} when it is clicked
 */
export function alertCard(alert, options) {
  const open = isOpen(alert);
  // What nothing but the end of the run resolved was not mended.
  const outlasted = !open && (alert.resolved_step === null || alert.resolved_step === undefined);
  const key = open ? alert.severity : outlasted ? `${alert.severity} outlasted` : "resolved";
  const onset = alert.onset_step === null || alert.onset_step === undefined ? "" : `, from step ${whole(alert.onset_step)}`;
  const when = h("span", { class: "when quiet", title: moment(alert.opened_at_ms) });
  const tick = (now) => setText(when, `${open ? "for" : "lasted"} ${duration(((open ? now : alert.changed_at_ms) - alert.opened_at_ms) / 1000)}${onset}`);
  tick(options.now);
  const scope = alert.scope ? ` ${alert.scope}` : "";
  const details = h("div", { class: "details", hidden: !options.unfolded });
  let filled = false;
  const unfold = (on) => {
    if (on && !filled) {
      filled = true;
      details.append(...reasons(alert));
    }
    details.hidden = !on;
    head.setAttribute("aria-expanded", String(on));
  };
  const head = h(
    "button",
    {
      type: "button",
      class: "head",
      "aria-expanded": "false",
      onclick: () => {
        unfold(details.hidden);
        options.onselect?.(alert, !details.hidden);
      },
    },
    icon(open || outlasted ? alert.severity : "completed"),
    h("span", { class: "severity" }, open ? alert.severity : outlasted ? `${alert.severity} to the end` : "resolved"),
    options.number ? h("span", { class: "digit", title: "its number in the charts" }, String(options.number)) : null,
    h("b", { class: "detector" }, alert.detector, bdi(scope, { class: "scope" })),
    when,
  );
  const card = h(
    "article",
    { class: `alert panel ${key}`, "data-alert": alert.alert_id },
    head,
    options.run ? h("a", { class: "of", href: `#/run/${encodeURIComponent(alert.run_id)}` }, bdi(alert.run_name && alert.run_name !== alert.run_id ? `${alert.run_name} (${alert.run_id})` : alert.run_id), alert.project ? h("span", { class: "quiet" }, " · ", bdi(alert.project)) : null) : null,
    h("p", { class: "message" }, bdi(alert.message)),
    alert.causes?.length && !options.unfolded ? h("p", { class: "quiet brief" }, "likely: ", alert.causes[0].title) : null,
    details,
    open ? actions(alert) : null,
  );
  if (options.unfolded) {
    unfold(true);
  }
  card.tick = tick;
  return card;
}

function reasons(alert) {
  const parts = (alert.causes ?? []).map((cause, i) =>
    h(
      "section",
      { class: "cause" },
      h("h3", null, i === 0 ? "likely: " : "or: ", cause.title, h("span", { class: "quiet" }, `  score ${decimal(cause.score)}`)),
      list("fix", cause.fix),
      list("check", cause.check),
      list("why", cause.why),
    ),
  );
  const evidence = (alert.evidence ?? []).filter((one) => one.value !== null && one.value !== undefined);
  if (evidence.length) {
    parts.push(
      h(
        "table",
        { class: "evidence" },
        h("thead", null, h("tr", null, ["signal", "value", "usual", "steps"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", null, evidence.map((one) =>
          h(
            "tr",
            null,
            h("td", null, bdi(one.signal)),
            h("td", { class: "number" }, decimal(one.value), one.unit ? ` ${one.unit}` : ""),
            h("td", { class: "number" }, decimal(one.baseline)),
            h("td", { class: "number" }, steps(one)),
          ))),
      ),
    );
  }
  const more = [
    alert.accelerator_seconds_lost ? `GPU time lost: ${duration(alert.accelerator_seconds_lost)}` : null,
    alert.checkpoint_step !== null && alert.checkpoint_step !== undefined
      ? `last checkpoint before it: step ${whole(alert.checkpoint_step)}${alert.checkpoint_path ? `, ${alert.checkpoint_path}` : ""}`
      : null,
    alert.suppressed_by ? `held at info by ${alert.suppressed_by}` : null,
  ].filter(Boolean);
  return parts.concat(
    more.map((text) => h("p", { class: "quiet" }, bdi(text))),
    h("p", null, h("a", { href: `/runbook/${encodeURIComponent(alert.detector)}` }, "Runbook entry")),
  );
}

function list(title, lines) {
  return lines?.length ? h("div", { class: title }, h("h4", null, title), h("ul", null, lines.map((line) => h("li", null, bdi(line))))) : null;
}

function steps(evidence) {
  const { step_from: from, step_to: to } = evidence;
  if (from === null || from === undefined) {
    return to === null || to === undefined ? "" : whole(to);
  }
  return to === null || to === undefined || to === from ? whole(from) : `${whole(from)} – ${whole(to)}`;
}

/** Shown only where this monitor takes them. */
function actions(alert) {
  const said = h("span", { class: "quiet", role: "status" });
  const button = (text, title, act) =>
    h(
      "button",
      {
        type: "button",
        title,
        onclick: async (event) => {
          event.target.disabled = true;
          try {
            said.textContent = await act();
          } catch (problem) {
            said.textContent = problem.message;
            event.target.disabled = false;
          }
        },
      },
      text,
    );
  const box = h(
    "div",
    { class: "actions", hidden: true },
    button("Acknowledge", "I look after it: for 4 h only what is worse pages", async () => {
      await post(`/api/v1/alerts/${encodeURIComponent(alert.alert_id)}/acknowledge`, { for: "4h" });
      pagingChanged();
      return "acknowledged for 4 h";
    }),
    button("Silence the run 1 h", "Nobody is paged about this run for an hour", async () => {
      // The monitor takes a pattern: a star in a name must not become one for everything.
      await post("/api/v1/silences", { run_id: alert.run_id.replaceAll("*", "?"), for: "1h", comment: "from the page" });
      pagingChanged();
      return "silenced for 1 h";
    }),
    said,
  );
  paging().then((state) => {
    box.hidden = !state;
    const one = state?.acknowledged.get(alert.alert_id);
    if (one) {
      box.firstChild.disabled = true;
      said.textContent = `acknowledged${one.by ? ` by ${one.by}` : ""} until ${moment(one.expires_at_ms)}`;
    }
  });
  return box;
}
