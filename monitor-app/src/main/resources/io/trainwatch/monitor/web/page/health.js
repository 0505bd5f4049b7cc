// How well a run is: one word, one colour and one shape, so that none of them has to be seen to know.

import { svg } from "./dom.js";

/** Sickest first. */
export const STATES = [
  { key: "critical", word: "critical", sick: true },
  { key: "failed", word: "failed", sick: true },
  { key: "warning", word: "warning", sick: true },
  { key: "silent", word: "silent", sick: true },
  { key: "healthy", word: "healthy", sick: false },
  { key: "killed", word: "killed", sick: false },
  { key: "unknown", word: "unknown", sick: false },
  { key: "completed", word: "completed", sick: false },
];

const BY_KEY = Object.fromEntries(STATES.map((state, rank) => [state.key, { ...state, rank }]));

/** Of a run that goes on the worst open episode counts; of one that ended, how. */
export function health(row) {
  if (row.condition === "running" || row.condition === "silent") {
    if (row.critical) {
      return BY_KEY.critical;
    }
    if (row.warning) {
      return BY_KEY.warning;
    }
    return row.condition === "silent" ? BY_KEY.silent : BY_KEY.healthy;
  }
  return BY_KEY[row.condition] ?? BY_KEY.unknown;
}

const SHAPES = {
  critical: () => [
    svg("path", { d: "M7 1h10l6 6v10l-6 6H7l-6-6V7z" }),
    svg("path", { class: "cut", d: "M10.6 5h2.8l-.5 9h-1.8zM10.5 16h3v3h-3z" }),
  ],
  failed: () => [
    svg("path", { d: "M3 1h18a2 2 0 0 1 2 2v18a2 2 0 0 1-2 2H3a2 2 0 0 1-2-2V3a2 2 0 0 1 2-2z" }),
    svg("path", { class: "cut", d: "M7.4 5.3 12 9.9l4.6-4.6 2.1 2.1-4.6 4.6 4.6 4.6-2.1 2.1-4.6-4.6-4.6 4.6-2.1-2.1L9.9 12 5.3 7.400z" }),
  ],
  warning: () => [
    svg("path", { d: "M12 1.5 23.5 22H.5z" }),
    svg("path", { class: "cut", d: "M10.8 8h2.4l-.4 7h-1.600zM10.7 16.700h2.600v2.600h-2.600z" }),
  ],
  info: () => [
    svg("circle", { cx: 12, cy: 12, r: 11 }),
    svg("path", { class: "cut", d: "M10.6 5h2.800v2.800h-2.800zM10.6 10h2.800v9h-2.800z" }),
  ],
  silent: () => [svg("circle", { class: "ring", cx: 12, cy: 12, r: 9, "stroke-dasharray": "5 4.4" })],
  healthy: () => [svg("circle", { cx: 12, cy: 12, r: 9 })],
  killed: () => [svg("path", { class: "ring", d: "M4 4h16v16H4z" })],
  unknown: () => [svg("path", { class: "ring", d: "M12 2l10 10-10 10L2 12z" })],
  completed: () => [svg("path", { class: "ring", d: "M3 13l6 6L21 5" })],
};

/** The picture of a state or a severity; what it says stands beside it as a word. */
export function icon(key) {
  return svg("svg", { class: `icon ${key}`, viewBox: "0 0 24 24", "aria-hidden": "true" }, (SHAPES[key] ?? SHAPES.unknown)());
}
