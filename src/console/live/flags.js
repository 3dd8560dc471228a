// Active Flags with the picture of what raised them.

const DETAIL = "http://hl7.org/fhir/StructureDefinition/flag-detail";

const text = (concept) => concept?.text ?? concept?.coding?.[0]?.display ?? concept?.coding?.[0]?.code;

export class Flags {
  #all = new Map();
  #fhir;

  constructor(fhir) {
    this.#fhir = fhir;
  }

  // Takes a version of a Flag; the Flag where it is news and active.
  take(flag) {
    const before = this.#all.get(flag.id);
    const version = Number(flag.meta.versionId);
    if (before && before.version >= version) return undefined;
    const isActive = flag.status === "active";
    const one = {
      id: flag.id,
      version,
      isActive,
      name: text(flag.code) ?? "Alert",
      since: flag.period?.start ?? flag.meta.lastUpdated,
      details: (flag.extension ?? []).filter(({ url }) => url === DETAIL).map((e) => e.valueReference?.reference),
      pictures: before?.pictures ?? [],
      asked: before?.asked ?? new Set(),
    };
    this.#all.set(flag.id, one);
    if (isActive) return before?.isActive ? undefined : one;
    one.pictures.splice(0).forEach(({ url }) => URL.revokeObjectURL(url));
    one.asked.clear();
    return undefined;
  }

  // The newest first.
  get active() {
    const active = [...this.#all.values()].filter(({ isActive }) => isActive);
    return active.sort((a, b) => Date.parse(b.since) - Date.parse(a.since));
  }

  // Fetches pictures that are not there yet; whether there is something new about them.
  async fetch() {
    const wanted = this.active.flatMap((flag) => flag.details.filter((one) => !flag.asked.has(one)).map((one) => [flag, one]));
    for (const [flag, detail] of wanted) {
      flag.asked.add(detail);
      try {
        const picture = await this.#picture(detail);
        if (picture) flag.pictures.push(picture);
        flag.problem = undefined;
      } catch (error) {
        flag.problem = error.message;
        flag.asked.delete(detail);
      }
    }
    return wanted.length > 0;
  }

  async #picture(detail) {
    if (!/(^|\/)DocumentReference\//.test(detail)) return undefined;
    const { content } = await this.#fhir.read(detail);
    const image = content.map(({ attachment }) => attachment).find(({ contentType }) => contentType?.startsWith("image/"));
    if (!image) return undefined;
    const blob = await this.#fhir.picture(image.url, image.contentType);
    return { url: URL.createObjectURL(blob), title: image.title ?? "Evidence" };
  }
}
