// Curves over steps, time or tokens, drawn by ECharts: the mean of each stretch as a line, its extremes as a band.

import * as echarts from "/page/echarts.js";
import { h } from "./dom.js";
import { compact, decimal, duration, whole } from "./format.js";

export { echarts };

/** Okabe and Ito's colours, told apart by every kind of colour vision; the first two are those of train and validation. */
const COLOURS = {
  light: ["#0072B2", "#D98200", "#009E73", "#A8497F", "#3E9AD6", "#C04A00", "#7A7200", "#3B3F45"],
  dark: ["#56B4E9", "#E69F00", "#1FBF92", "#D98BB5", "#3D8FD1", "#FF7A33", "#F0E442", "#C9CFD6"],
};
/** Flags of episodes that would stand closer than this are one. */
const FLAG_PX = 36;
const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3]];

export function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

export function colour(index) {
  const colours = COLOURS[isDark() ? "dark" : "light"];
  return colours[index % colours.length];
}

/** A variable of the style sheet, so that charts and page have the same colours. */
export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** What the horizontal axis can be. */
export const AXES = {
  step: { name: "step", format: (x) => (Math.abs(x) >= 100_000 ? compact(x) : whole(x)), full: (x) => `step ${whole(x)}` },
  time: { name: "time", format: duration, full: (x) => `after ${duration(x)}` },
  samples: { name: "samples", format: compact, full: (x) => `${compact(x)} samples` },
  tokens: { name: "tokens", format: compact, full: (x) => `${compact(x)} tokens` },
};

/** How a step becomes a place on an axis; null if the run did not say what it takes. */
export function place(axis, run) {
  if (axis === "time") {
    return clock(run.elapsed);
  }
  const batch = run.kind?.batch_size;
  const length = run.kind?.sequence_length;
  if (axis === "samples") {
    return batch ? (step) => step * batch : null;
  }
  if (axis === "tokens") {
    return batch && length ? (step) => step * batch * length : null;
  }
  return (step) => step;
}

/** Seconds of training at a step, between the points that are known. */
function clock(elapsed) {
  const { step: steps = [], seconds = [] } = elapsed ?? {};
  if (steps.length < 2) {
    return null;
  }
  return (step) => {
    let low = 0;
    let high = steps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle] < step) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low === 0 || steps[low] <= step) {
      return seconds[low];
    }
    const share = (step - steps[low - 1]) / (steps[low] - steps[low - 1]);
    return seconds[low - 1] + share * (seconds[low] - seconds[low - 1]);
  };
}

/**
 * Exponential average that starts at the first value and knows how much of each stretch it has seen.
 *
 * @param weight of the past, 0 for none, below 1
 */
export function smoothed(values, weight) {
  if (!weight) {
    return values;
  }
  let sum = 0;
  let seen = 0;
  return values.map((value) => {
    if (value === null) {
      return null;
    }
    sum = weight * sum + (1 - weight) * value;
    seen = weight * seen + (1 - weight);
    return sum / seen;
  });
}

/**
 * A chart that shows what it is given, again and again.
 *
 * <p>A picture: {axis, log, weight, curves: [{name, colour, dash, place, data: {step, min, mean, max}}],
 * bands: [{from, to, severity, digit, strong}], marks: [{at, text}], format}.
 */
export class Chart {
  #chart;
  #picture = null;
  #observer;
  element;

  constructor(group, label) {
    this.element = h("div", { class: "plot", role: "img", "aria-label": label });
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(this.element);
    this.group = group;
  }

  #resize() {
    if (!this.element.clientWidth) {
      return;
    }
    if (this.#chart) {
      this.#chart.resize();
      return;
    }
    this.#chart = echarts.init(this.element, null, { renderer: "canvas" });
    if (this.group) {
      this.#chart.group = this.group;
      echarts.connect(this.group);
    }
    if (matchMedia("(pointer: fine)").matches) {
      this.#chart.getZr().on("dblclick", () => this.#chart.dispatchAction({ type: "dataZoom", start: 0, end: 100 }));
    }
    if (this.#picture) {
      this.show(this.#picture);
    }
  }

  show(picture) {
    this.#picture = picture;
    if (!this.#chart) {
      return;
    }
    this.#chart.setOption(this.option(picture), { replaceMerge: ["series"] });
    if (this.zoomable() && matchMedia("(pointer: fine)").matches) {
      this.#chart.dispatchAction({ type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true });
    }
  }

  option(picture) {
    return option(picture, this.element.clientWidth);
  }

  zoomable() {
    return true;
  }

  close() {
    this.#observer.disconnect();
    this.#chart?.dispose();
  }
}

/** Rows of layers or features over steps, told by colour; what was not finite or not sent stays empty. */
export class HeatChart extends Chart {
  constructor(label) {
    super(null, label);
  }

  option(map) {
    const columns = map.rows.reduce((longest, row) => (row.step.length > longest.length ? row.step : longest), []);
    const cells = [];
    map.rows.forEach((row, y) =>
      row.mean.forEach((value, i) => {
        if (value !== null) {
          cells.push([nearest(columns, row.step[i]), y, value]);
        }
      }),
    );
    const values = cells.map((cell) => cell[2]);
    const end = Math.max(...values, 0);
    const low = map.unit === "log10" ? Math.min(...values) : map.unit === "share" ? 0 : -Math.max(1, ...values.map(Math.abs));
    const high = map.unit === "log10" ? Math.max(...values) : map.unit === "share" ? Math.max(0.1, end) : -low;
    const muted = css("--muted");
    return {
      animation: false,
      textStyle: { fontFamily: css("--font"), color: css("--ink") },
      grid: { left: 128, right: 12, top: 6, bottom: 52 },
      xAxis: { type: "category", data: columns.map(String), axisLabel: { color: muted, formatter: (step) => AXES.step.format(Number(step)) }, axisTick: { show: false }, axisLine: { show: false } },
      yAxis: { type: "category", inverse: true, data: map.rows.map((row) => row.name), axisLabel: { color: muted, fontSize: 10, width: 116, overflow: "truncate" }, axisTick: { show: false }, axisLine: { show: false } },
      tooltip: {
        confine: true,
        className: "tip",
        transitionDuration: 0,
        backgroundColor: css("--panel"),
        borderColor: css("--line"),
        textStyle: { color: css("--ink"), fontSize: 12 },
        formatter: ({ value: [x, y, value] }) =>
          h("div", { class: "tip-body" }, h("div", { class: "quiet" }, `to step ${whole(columns[x])}`), h("bdi", { dir: "auto" }, map.rows[y].name), " ", h("b", null, decimal(map.unit === "log10" ? 10 ** value : value))),
      },
      visualMap: {
        min: low,
        max: high === low ? low + 1 : high,
        calculable: false,
        orient: "horizontal",
        left: "center",
        bottom: 0,
        itemHeight: 120,
        itemWidth: 8,
        text: [decimal(map.unit === "log10" ? 10 ** high : high), decimal(map.unit === "log10" ? 10 ** low : low)],
        textStyle: { color: muted, fontSize: 11 },
        // Cividis-like, or blue to orange where 0 is the middle: both are told apart by every kind of colour vision.
        inRange: { color: low < 0 && map.unit !== "log10" ? ["#0072B2", isDark() ? "#161c22" : "#ffffff", "#D55E00"] : ["#00204D", "#31446B", "#666970", "#958F78", "#CBBA69", "#FFE945"] },
      },
      series: [{ type: "heatmap", data: cells, emphasis: { disabled: true }, progressive: 0 }],
    };
  }

  zoomable() {
    return false;
  }
}

/** @param width of the chart in px */
function option(picture, width) {
  const axis = AXES[picture.axis];
  const ink = css("--ink");
  const muted = css("--muted");
  const line = css("--line");
  const format = picture.format ?? decimal;
  const curves = picture.curves.map((curve) => points(curve, picture));
  const ends = curves.flatMap((curve) => (curve.x.length ? [curve.x[0], curve.x[curve.x.length - 1]] : []));
  const end = ends.length ? Math.max(...ends) : 1;
  const first = ends.length ? Math.min(...ends) : 0;
  const begin = first > 0 && first < end / 10 ? 0 : first;
  return {
    animation: false,
    textStyle: { fontFamily: css("--font"), color: ink },
    grid: { left: 6, right: 12, top: 22, bottom: 4, containLabel: true },
    xAxis: {
      type: "value",
      min: begin,
      max: end,
      axisLabel: { formatter: axis.format, color: muted, hideOverlap: true, showMinLabel: true, alignMinLabel: "left", alignMaxLabel: "right" },
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
      splitLine: { show: false },
      axisPointer: { show: true, snap: false, lineStyle: { color: muted, type: "solid" }, label: { show: false } },
    },
    yAxis: {
      type: picture.log ? "log" : "value",
      scale: true,
      axisLabel: { formatter: format, color: muted, hideOverlap: true },
      splitLine: { lineStyle: { color: line } },
      axisLine: { show: false },
      axisTick: { show: false },
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      className: "tip",
      transitionDuration: 0,
      backgroundColor: css("--panel"),
      borderColor: line,
      textStyle: { color: ink, fontSize: 12 },
      formatter: (hits) => tip(hits, curves, axis, format),
    },
    toolbox: { show: true, itemSize: 0, feature: { dataZoom: { yAxisIndex: false, brushStyle: { color: css("--select") } } } },
    dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, moveOnMouseWheel: false, preventDefaultMouseMove: false }],
    series: curves.flatMap((curve, i) => series(curve, i === 0 ? picture : null, ((end - begin) * FLAG_PX) / width)),
  };
}

/** A curve in the units of the axes; what a logarithm cannot show is left out. */
function points(curve, picture) {
  const fits = (y) => (y === null || (picture.log && y <= 0) ? null : y);
  const { step, min, mean, max } = curve.data;
  const x = step.map(curve.place);
  const line = smoothed(mean, picture.weight);
  const floor = picture.log ? Math.min(...mean.filter((y) => y > 0)) / 10 : null;
  const low = min.map((y) => (picture.log && y !== null && y <= 0 ? floor : fits(y)));
  return { ...curve, x, y: line.map(fits), low, high: max.map(fits) };
}

function series(curve, picture, close) {
  const dots = curve.x.length <= 40;
  const parts = [];
  if (!curve.flat && curve.high.some((y, i) => y !== null && y > curve.low[i])) {
    parts.push(band(curve));
  }
  parts.push({
    type: "line",
    name: curve.name,
    data: curve.x.map((x, i) => [x, curve.y[i]]),
    showSymbol: dots,
    symbol: curve.symbol ?? "circle",
    symbolSize: 5,
    connectNulls: false,
    lineStyle: { color: curve.colour, width: 1.8, type: DASHES[(curve.dash ?? 0) % DASHES.length] },
    itemStyle: { color: curve.colour },
    emphasis: { disabled: true },
    z: 3,
    ...(picture ? happenings(picture, curve, close) : {}),
  });
  return parts;
}

/** The extremes of each stretch: one polygon for each part without a gap. */
function band(curve) {
  return {
    type: "custom",
    name: `${curve.name} extremes`,
    silent: true,
    tooltip: { show: false },
    data: curve.x.map((x, i) => [x, curve.low[i], curve.high[i]]),
    encode: { x: 0, y: [1, 2] },
    z: 1,
    renderItem: (params, api) => {
      if (params.dataIndexInside !== 0) {
        return null;
      }
      const shapes = [];
      let upper = [];
      let lower = [];
      const finish = () => {
        if (upper.length > 1) {
          shapes.push({
            type: "polygon",
            shape: { points: upper.concat(lower.reverse()) },
            style: { fill: curve.colour, opacity: 0.2 },
            silent: true,
          });
        }
        upper = [];
        lower = [];
      };
      curve.x.forEach((x, i) => {
        if (curve.high[i] === null || curve.low[i] === null) {
          finish();
        } else {
          upper.push(api.coord([x, curve.high[i]]));
          lower.push(api.coord([x, curve.low[i]]));
        }
      });
      finish();
      return { type: "group", children: shapes };
    },
    clip: true,
  };
}

/** Episodes as bands with their digit, resumes and phases as lines, values that are not finite as hatching. */
function happenings(picture, curve, close) {
  const ink = css("--ink");
  const areas = (picture.bands ?? []).map((one) => {
    return [
      {
        xAxis: one.from,
        itemStyle: { color: css(`--${one.severity}`), opacity: one.strong ? 0.24 : 0.1 },
        label: { show: false },
      },
      { xAxis: one.to },
    ];
  });
  const lines = flags(picture.bands ?? [], close).map((one) => ({
    xAxis: one.from,
    lineStyle: { color: css(`--${one.severity}`), type: "solid", width: one.strong ? 2 : 1.2 },
    label: {
      show: one.digits !== "",
      formatter: one.digits,
      position: "end",
      distance: 3,
      color: css("--on-state"),
      backgroundColor: css(`--${one.severity}`),
      padding: [3, 6, 2],
      borderRadius: 8,
      fontSize: 11,
      lineHeight: 11,
      fontWeight: "bold",
    },
  }));
  for (const mark of picture.marks ?? []) {
    lines.push({
      xAxis: mark.at,
      lineStyle: { color: css("--muted"), type: "dashed", width: 1 },
      label: { show: true, formatter: mark.text, position: "insideEndBottom", rotate: 90, color: css("--muted"), fontSize: 10, distance: [2, 4] },
    });
  }
  for (const [from, to] of gaps(curve)) {
    areas.push([
      {
        xAxis: from,
        itemStyle: { color: css("--critical"), opacity: 0.3, decal: { symbol: "rect", color: css("--panel"), dashArrayX: [1, 0], dashArrayY: [3, 3], rotation: 0.8 } },
        label: { show: true, formatter: "NaN", position: "inside", color: ink, fontWeight: "bold" },
      },
      { xAxis: to },
    ]);
  }
  return {
    markArea: { silent: true, animation: false, data: areas },
    markLine: { silent: true, animation: false, symbol: "none", data: lines },
  };
}

/** Episodes that begin close to each other share a flag, which has the digits of all of them. */
function flags(bands, close) {
  let flag = null;
  return [...bands]
    .sort((a, b) => a.from - b.from)
    .map((one) => {
      if (flag && one.from - flag.from < close) {
        flag.digits += ` ${one.digit}`;
        return { ...one, digits: "" };
      }
      flag = { ...one, digits: String(one.digit) };
      return flag;
    });
}

/** Stretches without any finite value. */
function gaps(curve) {
  const found = [];
  curve.data.mean.forEach((y, i) => {
    if (y === null) {
      const from = curve.x[Math.max(0, i - 1)];
      const before = found[found.length - 1];
      if (before && before[1] === from) {
        before[1] = curve.x[i];
      } else {
        found.push([from, curve.x[i]]);
      }
    }
  });
  return found;
}

function tip(hits, curves, axis, format) {
  const x = hits[0]?.axisValue;
  return h(
    "div",
    { class: "tip-body" },
    h("div", { class: "quiet" }, axis.full(x)),
    curves.map((curve) => {
      const i = nearest(curve.x, x);
      if (i < 0) {
        return null;
      }
      const value = curve.data.mean[i] === null ? "not finite" : format(curve.y[i]);
      const swatch = h("i", { class: "swatch" });
      swatch.style.background = curve.colour;
      const range = curve.high[i] !== null && curve.high[i] > curve.low[i] ? ` (${format(curve.low[i])} to ${format(curve.high[i])})` : "";
      return h("div", { class: "tip-line" }, swatch, h("bdi", { dir: "auto" }, curve.name), h("b", null, value), h("span", { class: "quiet" }, range));
    }),
  );
}

function nearest(xs, x) {
  if (xs.length === 0 || x > xs[xs.length - 1] + (xs[xs.length - 1] - xs[0]) / 50) {
    return -1;
  }
  let best = 0;
  for (let i = 1; i < xs.length; i++) {
    if (Math.abs(xs[i] - x) < Math.abs(xs[best] - x)) {
      best = i;
    }
  }
  return best;
}
