// What is shown, from what is known.

import { trend } from "./trend.js";

// A heart rate is old when the next three should have come.
const OLD_MS = 240_000;
const ROWS = 100;

const element = (id) => document.getElementById(id);

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function row(kind, cells, className) {
  const line = make("tr", undefined, className);
  line.append(...cells.map((cell) => (cell instanceof Node ? cell : make(kind, cell))));
  return line;
}

// Today's time of day; before, with the date.
function utc(time) {
  const [date, clock] = [new Date(time).toISOString().slice(0, 10), new Date(time).toISOString().slice(11, 19)];
  return date === new Date().toISOString().slice(0, 10) ? clock : `${date} ${clock}`;
}

function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

export function showState({ name, due, problem }) {
  const texts = {
    starting: "Starting",
    live: "Live",
    reconnecting: "Connection lost, reconnecting",
    "catching-up": `Catching up, ${due} to go`,
    ended: `Ended: ${problem}`,
    stopped: "Stopped",
  };
  element("state").dataset.state = name;
  // Told again only when it is something else.
  if (element("state-text").textContent !== texts[name]) element("state-text").textContent = texts[name];
}

export function showHeart(rates) {
  const { newest } = rates;
  if (newest) element("value").textContent = newest.value === undefined ? "–" : Math.round(newest.value);
  else element("value").textContent = "–";
  showWhen(newest);
  trend(element("trend"), rates.valid);
}

export function showWhen(newest) {
  const age = newest ? Date.now() - Date.parse(newest.time) : 0;
  element("heart").classList.toggle("old", age > OLD_MS);
  if (!newest) {
    element("when").textContent = "Nothing yet";
    return;
  }
  const time = make("time", `${utc(newest.time)} UTC`);
  time.dateTime = newest.time;
  const notes = [ago(age)];
  if (newest.name !== "Heart rate") notes.push(newest.name);
  if (newest.value === undefined) notes.push(newest.absent);
  if (newest.isPoor) notes.push("low signal quality");
  element("when").replaceChildren(time, ` · ${notes.join(" · ")}`);
}

export function showRows(list) {
  const newest = list.slice(-ROWS).reverse();
  element("rows").replaceChildren(...newest.map((rate) => {
    const value = rate.value === undefined ? rate.absent : String(rate.value);
    const quality = rate.quality === undefined ? "" : rate.quality.toFixed(2);
    const time = make("td", utc(rate.time));
    if (rate.name !== "Heart rate") time.append(" ", make("span", rate.name, "soft"));
    const line = row("td", [time, value, quality, rate.number ?? "before"]);
    if (rate.status === "entered-in-error") line.className = "void";
    line.dataset.id = rate.id;
    return line;
  }));
}

// Said at once to whoever listens to the page.
export function announce({ name, since }) {
  element("announced").textContent = `Alert: ${name} since ${utc(since)} UTC`;
}

export function showFlags(flags) {
  if (flags.length === 0) return element("flags").replaceChildren(make("p", "None", "soft"));
  element("flags").replaceChildren(...flags.map((flag) => {
    const card = make("article", undefined, "flag");
    const time = make("time", `since ${utc(flag.since)} UTC`, "soft");
    time.dateTime = flag.since;
    card.append(make("h3", flag.name), time);
    for (const { url, title } of flag.pictures) {
      const image = make("img");
      image.src = url;
      image.alt = title;
      const strip = make("div", undefined, "strip");
      strip.tabIndex = 0;
      strip.append(image);
      const figure = make("figure");
      figure.append(strip, make("figcaption", title));
      card.append(figure);
    }
    if (flag.problem) card.append(make("p", `Its picture cannot be shown: ${flag.problem}`, "soft"));
    return card;
  }));
}

// Numbers of the events that were handed on, and whether all of them were there.
export function showCounts({ name: state, subscriptions }, breaks) {
  if (subscriptions.length === 0) return element("counts").replaceChildren("Nothing yet");
  const table = make("table");
  table.append(row("th", ["", "Numbers", "Caught up with", "Missing"]));
  for (const { id, name, last, asked, missing } of subscriptions) {
    const line = row("td", [name, last === 0 ? "none yet" : `1 – ${last}`, asked, missing]);
    line.dataset.id = id;
    table.append(line);
  }
  const missing = subscriptions.reduce((sum, one) => sum + one.missing, 0);
  const broke = ["The connection has held.", "The connection broke once."][breaks] ?? `The connection broke ${breaks} times.`;
  let gap = make("p", "No event is missing.", "good");
  if (state !== "live") gap = make("p", "Whether an event is missing shows when it is live again.");
  if (missing > 0) gap = make("p", `Events are missing: ${missing}.`, "gap");
  element("counts").replaceChildren(table, make("p", broke), gap);
}
