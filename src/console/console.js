// Reads the FHIR API like any other client and shows what is newest.
"use strict";

const base = new URL("../fhir/R4/", location.href);
const element = (id) => document.getElementById(id);
const shownStrips = { ids: "", urls: [] };

const fragment = new URLSearchParams(location.hash.slice(1));
element("key").value = fragment.get("key") || sessionStorage.getItem("afferent-key") || "";
element("patient").value = fragment.get("patient") || sessionStorage.getItem("afferent-patient") || "";
if (fragment.get("key")) history.replaceState(null, "", location.pathname);

async function get(path, accept = "application/fhir+json") {
  const answer = await fetch(new URL(path, base), { headers: { Authorization: `Bearer ${element("key").value}`, Accept: accept } });
  if (!answer.ok) {
    const outcome = await answer.json().catch(() => null);
    throw new Error(outcome?.issue?.[0]?.details?.text || `HTTP ${answer.status}`);
  }
  return answer;
}

const json = async (path) => (await get(path)).json();
const resources = (bundle, type) => (bundle.entry || []).map((e) => e.resource).filter((r) => r.resourceType === type);
const codeOf = (observation) => (observation.code.coding.find((c) => c.system.endsWith("/CodeSystem/biosignal")) || observation.code.coding[0]);
const nameOf = (observation) => codeOf(observation).display || codeOf(observation).code;
const timeOf = (observation) => observation.effectiveDateTime || observation.effectivePeriod?.end || "";
const clock = (time) => time.slice(11, 19);

function valueOf(observation) {
  if (observation.valueQuantity) return [observation.valueQuantity.value, observation.valueQuantity.unit];
  if (observation.valueCodeableConcept) return [observation.valueCodeableConcept.coding[0].display, ""];
  if (observation.valueSampledData) return [`${observation.valueSampledData.data.split(" ").length} samples`, ""];
  if (observation.dataAbsentReason) return ["—", observation.dataAbsentReason.coding?.[0]?.code || ""];
  const parts = (observation.component || []).filter((c) => c.valueQuantity);
  if (parts.length > 3) return [`${parts.length} intervals`, ""];
  if (parts.length) return [parts.map((c) => c.valueQuantity.value).join("/"), parts[0].valueQuantity.unit];
  return ["—", ""];
}

function qualityOf(observation) {
  const extension = (observation.extension || []).find((e) => e.url.endsWith("/signal-quality"));
  return extension ? extension.valueDecimal : null;
}

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function tile(observation) {
  const [value, unit] = valueOf(observation);
  const box = make("div", null, "tile" + (observation.interpretation ? " low" : ""));
  box.append(make("div", nameOf(observation), "name"));
  const line = make("div", String(value), "value");
  line.append(" ", make("span", unit, "unit"));
  box.append(line, make("time", clock(timeOf(observation))));
  return box;
}

function row(observation) {
  const [value, unit] = valueOf(observation);
  const line = make("tr");
  const quality = qualityOf(observation);
  line.append(
    make("td", timeOf(observation).replace("T", " ").slice(0, 19)),
    make("td", nameOf(observation)),
    make("td", `${value} ${unit}`.trim()),
    make("td", quality === null ? "" : String(quality)),
    make("td", observation.method?.coding?.[0]?.code || "as measured"),
  );
  const button = make("button", "lineage");
  button.addEventListener("click", () => lineage(observation).catch(report));
  const cell = make("td");
  cell.append(button);
  line.append(cell);
  return line;
}

async function lineage(observation) {
  const provenance = resources(await json(`Provenance?target=Observation/${observation.id}`), "Provenance");
  const text = { observation: `Observation/${observation.id}`, derivedFrom: observation.derivedFrom, provenance };
  element("lineage").textContent = JSON.stringify(text, null, 2);
}

// The newest strip of each waveform, ECG first.
async function showStrips(filter) {
  const documents = resources(await json(`DocumentReference?${filter}_sort=-date&_count=8`), "DocumentReference");
  const newest = new Map();
  for (const one of documents) {
    const code = one.category?.[0]?.coding?.[0]?.code || "";
    if (!newest.has(code)) newest.set(code, one);
  }
  const wanted = [...newest.entries()].sort(([a], [b]) => a.localeCompare(b)).map(([, one]) => one);
  const ids = wanted.map((one) => one.id).join();
  if (!ids || ids === shownStrips.ids) return;
  const figures = await Promise.all(wanted.map(figure));
  shownStrips.urls.forEach((url) => URL.revokeObjectURL(url));
  shownStrips.ids = ids;
  shownStrips.urls = figures.map((one) => one.querySelector("img").src);
  element("strips").replaceChildren(...figures);
}

async function figure(document_) {
  const attachment = document_.content[0].attachment;
  const picture = await (await get(attachment.url, attachment.contentType)).blob();
  const image = make("img");
  image.src = URL.createObjectURL(picture);
  image.alt = attachment.title || "Waveform strip";
  const node = make("figure");
  node.append(image, make("figcaption", `${attachment.title || ""} · DocumentReference/${document_.id}`));
  return node;
}

function report(error) {
  element("state").textContent = error.message;
  element("state").className = "bad";
}

async function refresh() {
  if (!element("key").value) return report(new Error("Give a developer key."));
  const patient = element("patient").value.trim();
  const filter = patient ? `patient=${encodeURIComponent(patient)}&` : "";
  const bundle = await json(`Observation?${filter}_sort=-date&_count=100`);
  const observations = resources(bundle, "Observation");
  const newest = new Map();
  for (const observation of observations) if (!newest.has(codeOf(observation).code)) newest.set(codeOf(observation).code, observation);
  const tiles = [...newest.values()].filter((o) => !o.valueSampledData && codeOf(o).code !== "rr-interval").sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  element("tiles").replaceChildren(...tiles.map(tile));
  element("rows").replaceChildren(...observations.slice(0, 25).map(row));
  await showStrips(filter);
  sessionStorage.setItem("afferent-key", element("key").value);
  sessionStorage.setItem("afferent-patient", patient);
  element("state").className = "";
  element("state").textContent = `${observations.length} newest Observations, ${new Date().toISOString().slice(11, 19)} UTC`;
}

element("access").addEventListener("submit", (event) => { event.preventDefault(); refresh().catch(report); });
refresh().catch(report);
setInterval(() => refresh().catch(report), 5000);
