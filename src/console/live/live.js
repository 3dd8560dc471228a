// Heart rate and alerts of one patient as they come. The key stays in this tab.

import { Feed } from "./feed.js";
import { Fhir } from "./fhir.js";
import { Flags } from "./flags.js";
import { Rates } from "./heart.js";
import { announce, showCounts, showFlags, showHeart, showRows, showState, showWhen } from "./view.js";

const LOINC_HEART_RATE = "http://loinc.org|8867-4";
// How many heart rates from before are shown.
const BEFORE = 60;
// A Flag that ends is no alert that is raised: it is looked for.
const LOOK_MS = 10_000;

const base = new URL("../fhir/R4/", location.href);
const websocket = new URL("../subscription/websocket", location.href);
websocket.protocol = websocket.protocol.replace("http", "ws");

const element = (id) => document.getElementById(id);
// The last that was begun. What an earlier one still hears of another patient is not shown.
let watch;

// One patient, watched until `stop`.
class Watch {
  isOver = false;
  #fhir;
  #feed;
  #patient;
  #rates = new Rates();
  #flags;
  #hasBefore = false;
  #was;
  #breaks = 0;
  #frame;

  constructor(key, patient) {
    this.#fhir = new Fhir(base, key);
    this.#flags = new Flags(this.#fhir);
    this.#feed = new Feed(this.#fhir, websocket, () => this.#changed());
    this.#patient = patient;
  }

  async start() {
    this.#show();
    this.#showFlags();
    const patient = `patient=${this.#patient}`;
    await this.#feed.start([
      {
        name: "Heart rate",
        topic: "vital-sign",
        filters: [patient, `code=${LOINC_HEART_RATE}`],
        take: ({ number, resource }) => { if (resource && this.#rates.take(resource, number)) this.later(); },
      },
      { name: "Alerts", topic: "alert-raised", filters: [patient], take: ({ resource }) => this.#raise(resource) },
    ]);
  }

  stop() {
    this.#feed.stop();
  }

  hurry() {
    this.#feed.hurry();
  }

  // How long ago the newest was.
  tick() {
    showWhen(this.#rates.newest);
  }

  // Reads what there was before the subscriptions, after they are made: so nothing falls between the two. Then the Flags, as
  // often as it is called. What fails is tried the next time.
  async look() {
    if (this.#feed.state.name !== "live") return;
    try {
      if (!this.#hasBefore) {
        const wanted = { patient: this.#patient, code: LOINC_HEART_RATE, _sort: "-date", _count: BEFORE };
        (await this.#fhir.search("Observation", wanted)).forEach((rate) => this.#rates.take(rate));
        this.#hasBefore = true;
        this.later();
      }
      const wanted = { patient: this.#patient, _sort: "-date", _count: BEFORE };
      (await this.#fhir.search("Flag", wanted)).forEach((flag) => this.#raise(flag));
    } catch (error) {
      console.warn(error.message);
    }
  }

  async #raise(flag) {
    const raised = flag && this.#flags.take(flag);
    if (raised && watch === this) announce(raised);
    this.#showFlags();
    if (await this.#flags.fetch()) this.#showFlags();
  }

  #changed() {
    const { name } = this.#feed.state;
    const isNew = name !== this.#was;
    this.#was = name;
    this.isOver = name === "ended" || name === "stopped";
    if (isNew && name === "reconnecting") this.#breaks += 1;
    if (isNew && name === "live") this.look();
    showState(this.#feed.state);
    this.later();
    if (this.isOver) ended();
  }

  // Many events at once are shown once.
  later() {
    this.#frame ??= setTimeout(() => this.#show(), 0);
  }

  #show() {
    this.#frame = undefined;
    if (watch !== this) return;
    showHeart(this.#rates);
    showRows(this.#rates.list);
    showCounts(this.#feed.state, this.#breaks);
  }

  #showFlags() {
    if (watch === this) showFlags(this.#flags.active);
  }
}

function begin() {
  const [key, patient] = [element("key").value.trim(), element("patient").value.trim()];
  sessionStorage.setItem("afferent-key", key);
  sessionStorage.setItem("afferent-patient", patient);
  for (const id of ["key", "patient"]) element(id).readOnly = true;
  element("access").className = "running";
  element("go").textContent = "Stop";
  element("announced").textContent = "";
  watch = new Watch(key, patient);
  watch.start();
}

function ended() {
  for (const id of ["key", "patient"]) element(id).readOnly = false;
  element("access").className = "";
  element("go").textContent = "Start";
}

element("key").value = sessionStorage.getItem("afferent-key") ?? "";
element("patient").value = sessionStorage.getItem("afferent-patient") ?? "";
element("access").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!watch || watch.isOver) begin();
  else watch.stop();
});
new ResizeObserver(() => watch?.later()).observe(element("trend"));
setInterval(() => watch?.tick(), 1000);
setInterval(() => watch?.look(), LOOK_MS);
addEventListener("online", () => watch?.hurry());
addEventListener("pagehide", () => watch?.stop());
if (element("access").checkValidity()) begin();
