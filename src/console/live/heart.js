// Heart rates as they come: each Observation once, in its newest version.

const READING = "https://afferent.dev/fhir/CodeSystem/biosignal";
const QUALITY = "/StructureDefinition/signal-quality";

// So many are kept.
const MOST = 3600;

const version = (resource) => Number(resource.meta.versionId);

// What of a heart rate is shown.
function shown(observation, number) {
  const { system, code, display } = observation.code.coding.find((c) => c.system === READING) ?? observation.code.coding[0];
  const quality = observation.extension?.find(({ url }) => url.endsWith(QUALITY))?.valueDecimal;
  return {
    id: observation.id,
    version: version(observation),
    number,
    time: observation.effectiveDateTime ?? observation.effectivePeriod?.end ?? observation.meta.lastUpdated,
    value: observation.valueQuantity?.value,
    absent: observation.dataAbsentReason?.coding?.[0]?.display ?? "no value",
    series: `${system}|${code}`,
    name: display ?? observation.code.text ?? code,
    quality,
    isPoor: (observation.interpretation ?? []).some(({ coding }) => coding?.some(({ code: c }) => c === "low-quality")),
    status: observation.status,
  };
}

export class Rates {
  #all = new Map();

  // Whether it is news; `number` is the event's, none where it was there before.
  take(observation, number) {
    const before = this.#all.get(observation.id);
    const isOlder = before && before.version >= version(observation);
    // It may have been found before its event came.
    if (isOlder && (before.number || !number)) return false;
    if (isOlder) before.number = number;
    else this.#all.set(observation.id, shown(observation, before?.number ?? number));
    if (this.#all.size > MOST) this.#all.delete(this.list[0].id);
    return true;
  }

  // By time, the newest last.
  get list() {
    return [...this.#all.values()].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  }

  // Those that count.
  get valid() {
    return this.list.filter(({ status }) => status !== "entered-in-error");
  }

  // The newest; of several of one time what the heart's own activity gives.
  get newest() {
    const all = this.valid;
    const last = all.filter(({ time }) => time === all.at(-1)?.time);
    return last.find(({ series }) => series.endsWith("|heart-rate")) ?? last[0];
  }
}
