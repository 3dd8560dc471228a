// A server with data of its own, which may be killed and started again where it was.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Server {
  #afferent;
  #data = mkdtempSync(join(tmpdir(), 'afferent-'));
  #process;
  #address = '127.0.0.1:0';

  constructor(afferent) {
    this.#afferent = afferent;
    const given = ['admin', 'key', 'create', '--sandbox', '--data', this.#data];
    this.key = execFileSync(afferent, given, { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim();
  }

  get url() {
    return `http://${this.#address}`;
  }

  async start() {
    const log = join(this.#data, 'serve.log');
    const stdio = ['ignore', 'ignore', openSync(log, 'w')];
    const given = ['serve', '--listen', this.#address, '--data', this.#data];
    this.#process = spawn(this.#afferent, given, { stdio, env: { ...process.env, NO_COLOR: '1' } });
    let serving;
    while (!serving) {
      await new Promise((done) => setTimeout(done, 50));
      if (this.#process.exitCode !== null) throw new Error(`the server does not serve:\n${readFileSync(log)}`);
      serving = /serving.*?(127\.0\.0\.1:\d+)/.exec(readFileSync(log, 'utf8'));
    }
    [, this.#address] = serving;
  }

  // As a power cut would end it.
  async kill() {
    const gone = new Promise((done) => this.#process.once('exit', done));
    this.#process.kill('SIGKILL');
    await gone;
  }

  async end() {
    await this.kill();
    rmSync(this.#data, { recursive: true });
  }

  async api(method, path, body, type = 'application/json') {
    const headers = { Authorization: `Bearer ${this.key}`, 'Content-Type': type };
    const response = await fetch(`${this.url}${path}`, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }

  write(resource) {
    return this.api('PUT', `/fhir/R4/${resource.resourceType}/${resource.id}`, resource, 'application/fhir+json');
  }

  // All that a search finds.
  async find(search) {
    const { entry } = await this.api('GET', `/fhir/R4/${search}&_count=1000`);
    return (entry ?? []).map(({ resource }) => resource);
  }
}
