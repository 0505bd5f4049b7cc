// The loss of a run in the size of a word.

import { setAttribute, svg } from "./dom.js";

const WIDTH = 100;
const HEIGHT = 28;

export function sparkline() {
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    svg("path", { class: "line" }),
    svg("path", { class: "gap" }),
  );
}

/** Draws points, oldest first; a null is a stretch that was not finite and is marked as such. */
export function draw(picture, points) {
  const finite = (points ?? []).filter((y) => y !== null);
  const [line, gap] = picture.children;
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  // A loss that fell by two decades would be a corner otherwise.
  const scale = low > 0 && high > 30 * low ? Math.log : (y) => y;
  const bottom = scale(low);
  const range = scale(high) - bottom || 1;
  const x = (i) => (points.length < 2 ? WIDTH / 2 : (i * WIDTH) / (points.length - 1)).toFixed(1);
  let path = "";
  let gaps = "";
  let pen = "M";
  (points ?? []).forEach((value, i) => {
    if (value === null) {
      gaps += `M${x(i)} 1V${HEIGHT - 1}`;
      pen = "M";
    } else {
      path += `${pen}${x(i)} ${(HEIGHT - 2 - ((scale(value) - bottom) / range) * (HEIGHT - 4)).toFixed(1)}`;
      pen = "L";
    }
  });
  setAttribute(line, "d", path || "M0 0");
  setAttribute(gap, "d", gaps || "M0 0");
  setAttribute(picture, "aria-label", finite.length ? `loss from ${finite[0]} to ${finite[finite.length - 1]}` : "no loss yet");
}
