// The FHIR API with the key of whoever looks on. A search goes in a request's body: what is in a URL gets into logs.

// What the server said no to; `final` where asking again is of no use.
export class Refusal extends Error {
  constructor(status, text) {
    super(text || `The server answers ${status}.`);
    this.status = status;
    this.final = status >= 400 && status < 500 && ![408, 425, 429].includes(status);
  }
}

export class Fhir {
  #base;
  #key;

  constructor(base, key) {
    this.#base = base;
    this.#key = key;
  }

  async #ask(method, path, { body, type, accept = "application/fhir+json", ...more } = {}) {
    const url = new URL(path, this.#base);
    // The key is for this server alone, whatever a resource points at.
    if (!url.href.startsWith(this.#base.href)) throw new Refusal(400, `It is kept elsewhere: ${url.host}`);
    const headers = { Authorization: `Bearer ${this.#key}`, Accept: accept };
    if (type) headers["Content-Type"] = type;
    const answer = await fetch(url, { method, headers, body, cache: "no-store", ...more });
    if (answer.ok) return answer;
    const outcome = await answer.json().catch(() => null);
    throw new Refusal(answer.status, outcome?.issue?.[0]?.details?.text);
  }

  async read(path, signal) {
    return (await this.#ask("GET", path, { signal })).json();
  }

  async create(resource) {
    const body = JSON.stringify(resource);
    return (await this.#ask("POST", resource.resourceType, { body, type: "application/fhir+json" })).json();
  }

  // Resources of one page of results.
  async search(kind, parameters) {
    const body = new URLSearchParams(parameters);
    const bundle = await (await this.#ask("POST", `${kind}/_search`, { body })).json();
    return (bundle.entry ?? []).map(({ resource }) => resource).filter(({ resourceType }) => resourceType === kind);
  }

  async picture(path, type) {
    return (await this.#ask("GET", path, { accept: type })).blob();
  }

  // Also goes out while the page is left.
  async remove(path) {
    await this.#ask("DELETE", path, { keepalive: true });
  }
}
