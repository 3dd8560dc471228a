// A line of heart rates in SVG.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 180;
const EDGE = { top: 14, right: 12, bottom: 24, left: 34 };
const HOUR_MS = 3_600_000;
// More points than this are a line alone.
const DOTS = 90;
// Values further apart are not joined.
const APART_MS = 150_000;

function draw(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// What a pulse tells is drawn beside what the heart's own activity tells.
const isSecond = (series) => series.endsWith("|pulse-rate");
const clock = (ms) => new Date(ms).toISOString().slice(11, 16);

// The last hour up to the newest of `rates`, which are in the order of their times.
export function trend(svg, rates) {
  const width = Math.max(svg.clientWidth, 200);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const all = rates.filter(({ value }) => value !== undefined).map((rate) => ({ ...rate, at: Date.parse(rate.time) }));
  const last = all.at(-1)?.at;
  const points = all.filter(({ at }) => at > last - HOUR_MS);
  if (points.length === 0) {
    svg.setAttribute("aria-label", "No heart rate yet");
    return svg.replaceChildren();
  }
  const [first] = points;
  const values = points.map(({ value }) => value);
  // With room to either side, so that a calm heart looks calm.
  const low = Math.floor((Math.min(...values) - 8) / 10) * 10;
  const high = Math.ceil((Math.max(...values) + 8) / 10) * 10;
  // A few values do not fill the width: a quarter of an hour does.
  const from = Math.min(first.at, last - HOUR_MS / 4);
  const x = (at) => EDGE.left + ((at - from) / (last - from)) * (width - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const parts = [];
  const step = high - low > 60 ? 20 : 10;
  for (let value = low; value <= high; value += step) {
    parts.push(draw("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }));
    parts.push(draw("text", { class: "tick", x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, value));
  }
  parts.push(draw("text", { class: "tick", x: EDGE.left, y: HEIGHT - 6 }, clock(from)));
  parts.push(draw("text", { class: "tick", x: width - EDGE.right, y: HEIGHT - 6, "text-anchor": "end" }, clock(last)));
  const second = points.find(({ series }) => isSecond(series));
  if (second) parts.push(draw("text", { class: "tick", x: width / 2, y: HEIGHT - 6, "text-anchor": "middle" }, `dotted: ${second.name}`));
  const names = [...new Set(points.map(({ series }) => series))].sort((a, b) => isSecond(a) - isSecond(b));
  for (const series of names) {
    parts.push(...line(points.filter((point) => point.series === series), x, y));
  }
  const end = points.at(-1);
  parts.push(draw("circle", { class: "end", cx: x(end.at), cy: y(end.value), r: 5 }));
  svg.replaceChildren(...parts);
  const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.round);
  const span = `from ${clock(first.at)} to ${clock(last)} UTC`;
  svg.setAttribute("aria-label", `Heart rate ${span}, between ${least} and ${most} per minute`);
}

function line(points, x, y) {
  let path = "";
  const dots = [];
  points.forEach(({ at, value, isPoor }, index) => {
    const joins = index > 0 && at - points[index - 1].at <= APART_MS;
    path += `${joins ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    if (points.length <= DOTS) dots.push(draw("circle", { class: isPoor ? "dot poor" : "dot", cx: x(at), cy: y(value), r: 2.5 }));
  });
  const kind = isSecond(points[0].series) ? "line second" : "line";
  return [draw("path", { class: kind, d: path }), ...dots];
}
