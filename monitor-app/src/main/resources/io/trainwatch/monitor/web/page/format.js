// Numbers and times as people read them.

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A number of the API, where those that are not finite are strings. */
export function number(value) {
  return value === null || value === undefined ? null : Number(value);
}

/** Four significant digits, e.g. "2.31", "0.0003", "1.2e-7"; "" for nothing. */
export function decimal(value) {
  const x = number(value);
  if (x === null) {
    return "";
  }
  if (!Number.isFinite(x)) {
    return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞";
  }
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    return x.toExponential(2).replace("e+", "e");
  }
  return String(Number(x.toPrecision(4)));
}

/** "12,345". */
export function whole(value) {
  return value === null || value === undefined ? "" : GROUPED.format(value);
}

/** "1.2M". */
export function compact(value) {
  return value === null || value === undefined ? "" : COMPACT.format(value);
}

/** A length of time in its two largest units, e.g. "3 d 4 h", "12 min", "8 s". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return "";
  }
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) {
    return `${s} s`;
  }
  const minutes = Math.round(s / 60);
  if (minutes < 60) {
    return s < 600 && s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${minutes} min`;
  }
  const hours = Math.floor(s / 3600);
  if (hours < 48) {
    const rest = Math.floor((s % 3600) / 60);
    return rest ? `${hours} h ${rest} min` : `${hours} h`;
  }
  const days = Math.floor(s / 86400);
  const rest = Math.floor((s % 86400) / 3600);
  return rest && days < 30 ? `${days} d ${rest} h` : `${days} d`;
}

/** The largest unit alone, for narrow places: "3 d", "12 min". */
export function shortDuration(seconds) {
  return duration(seconds).split(" ").slice(0, 2).join(" ");
}

/** A moment in the time zone of the reader. */
export function moment(ms) {
  return ms ? new Date(ms).toLocaleString("sv") : "";
}

export function plural(count, one, many) {
  return `${whole(count)} ${count === 1 ? one : many}`;
}
