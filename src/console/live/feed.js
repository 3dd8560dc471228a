// Topic subscriptions over one websocket, of which no event is lost: each is handed on once and in the order of the numbers;
// what did not come is asked for by `$events`, and what cannot be had is counted as missing.

import { read } from "./notification.js";

const TOPIC = "https://afferent.dev/fhir/SubscriptionTopic/";
const BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
const HEARTBEAT_S = 10;
// A connection that says nothing for so long is broken, whatever the network thinks of it.
const SILENCE_MS = 2.5 * HEARTBEAT_S * 1000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
// What nobody ended ends by itself.
const DAY_MS = 86_400_000;

const extension = (name, value) => ({ url: `${BACKPORT}backport-${name}`, ...value });

function subscription({ topic, filters }) {
  return {
    resourceType: "Subscription",
    meta: { profile: [`${BACKPORT}backport-subscription`] },
    status: "requested",
    reason: "Somebody looks on",
    end: new Date(Date.now() + DAY_MS).toISOString(),
    criteria: `${TOPIC}${topic}`,
    _criteria: { extension: filters.map((valueString) => extension("filter-criteria", { valueString })) },
    channel: {
      extension: [extension("heartbeat-period", { valueUnsignedInt: HEARTBEAT_S })],
      type: "websocket",
      payload: "application/fhir+json",
      _payload: { extension: [extension("payload-content", { valueCode: "full-resource" })] },
    },
  };
}

// Of so many attempts in a row: it doubles, and half of it is chance, so that not all come back at once.
export const wait = (attempt, chance = Math.random()) =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) * (0.5 + chance / 2);

export class Feed {
  #fhir;
  #socket;
  #told;
  #subscriptions = [];
  #connection;
  #attempt = 0;
  #retry;
  #silence;
  #over = false;
  #state = { name: "starting" };

  // `socket` is the websocket's URL. `told` is called whenever something is new about the feed.
  constructor(fhir, socket, told) {
    this.#fhir = fhir;
    this.#socket = socket;
    this.#told = told;
  }

  // How it is, and of each subscription the last number that was handed on.
  get state() {
    return { ...this.#state, subscriptions: this.#subscriptions };
  }

  // Subscribes to each of `wanted`, a topic with filters and who takes its events, and listens.
  async start(wanted) {
    try {
      for (const one of wanted) {
        const { id } = await this.#fhir.create(subscription(one));
        if (this.#over) return this.#remove(id);
        const counts = { last: 0, known: 0, asked: 0, missing: 0 };
        this.#subscriptions.push({ ...one, id, ...counts, early: new Map() });
      }
      for (const { id } of this.#subscriptions) await this.#active(id);
    } catch (error) {
      return this.#end(error.message);
    }
    return this.#open();
  }

  // Tries again at once where it waits to.
  hurry() {
    if (this.#state.name !== "reconnecting" || this.#connection) return;
    clearTimeout(this.#retry);
    this.#open();
  }

  // Ends it, on the server too as far as it can be reached.
  stop() {
    this.#end();
  }

  async #active(id) {
    while (!this.#over) {
      const { status, error } = await this.#fhir.read(`Subscription/${id}`);
      if (status === "active") return;
      if (status !== "requested") throw new Error(error || `The subscription is ${status}.`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  async #open() {
    const ids = this.#subscriptions.map(({ id }) => id).join();
    const abort = new AbortController();
    const connection = { abort, signal: abort.signal, bound: new Set(), asking: new Set() };
    if (this.#over) return;
    this.#connection = connection;
    this.#listen(connection);
    try {
      const { parameter } = await this.#fhir.read(`Subscription/$get-ws-binding-token?id=${ids}`, connection.signal);
      if (connection.signal.aborted) return;
      const token = parameter.find(({ name }) => name === "token").valueString;
      const socket = new WebSocket(this.#socket);
      connection.signal.addEventListener("abort", () => socket.close());
      socket.onopen = () => socket.send(`bind-with-token ${token}`);
      socket.onmessage = ({ data }) => { if (!connection.signal.aborted) this.#hear(connection, JSON.parse(data)); };
      socket.onclose = () => this.#lost(connection);
    } catch (error) {
      this.#lost(connection, error);
    }
  }

  // Waits for the next word of the server.
  #listen(connection) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(connection), SILENCE_MS);
  }

  #hear(connection, message) {
    this.#listen(connection);
    if (message.resourceType !== "Bundle") return this.#lost(connection);
    const { id, type, status, known, events } = read(message);
    const one = this.#subscriptions.find((subscription) => subscription.id === id);
    if (!one) return;
    if (status !== "active") return this.#end(`The server ended the subscription: it is ${status}.`);
    if (type === "handshake") {
      if (known < one.last) return this.#end("The server has lost events that were seen here.");
      connection.bound.add(id);
      if (connection.bound.size === this.#subscriptions.length) this.#attempt = 0;
    }
    this.#take(one, known, events);
    if (one.last < one.known) this.#ask(connection, one);
    this.#settle(connection);
  }

  // Hands on what is next.
  #take(one, known, events) {
    for (const event of events) {
      if (event.number > one.last) one.early.set(event.number, event);
      one.known = Math.max(one.known, event.number);
    }
    one.known = Math.max(one.known, known);
    for (let next = one.early.get(one.last + 1); next; next = one.early.get(one.last + 1)) {
      one.early.delete(next.number);
      one.last = next.number;
      one.take(next);
    }
  }

  // Asks for what did not come.
  async #ask(connection, one) {
    if (connection.asking.has(one)) return;
    connection.asking.add(one);
    try {
      while (one.last < one.known) {
        const before = one.last;
        const since = `Subscription/${one.id}/$events?eventsSinceNumber=${one.last + 1}`;
        const bundle = await this.#fhir.read(since, connection.signal);
        if (connection.signal.aborted) return;
        this.#take(one, 0, read(bundle).events);
        one.asked += one.last - before;
        if (one.last === before) this.#pass(one);
        this.#settle(connection);
      }
    } catch (error) {
      this.#lost(connection, error);
    } finally {
      connection.asking.delete(one);
    }
  }

  // Goes on after numbers that the server does not have any more.
  #pass(one) {
    const next = Math.min(one.known + 1, ...one.early.keys());
    one.missing += next - 1 - one.last;
    one.last = next - 1;
    this.#take(one, 0, []);
  }

  #settle(connection) {
    if (connection !== this.#connection) return;
    const all = this.#subscriptions;
    const due = all.reduce((sum, { known, last }) => sum + known - last, 0);
    if (due > 0) this.#say({ name: "catching-up", due });
    else if (connection.bound.size === all.length) this.#say({ name: "live" });
    else this.#told();
  }

  #lost(connection, error) {
    if (connection !== this.#connection) return;
    this.#drop();
    if (error?.final) return this.#end(error.message);
    const delay = wait(this.#attempt);
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#open(), delay);
    this.#say({ name: "reconnecting", at: Date.now() + delay });
  }

  #drop() {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abort.abort();
  }

  #end(problem) {
    if (this.#over) return;
    this.#over = true;
    this.#drop();
    for (const { id } of this.#subscriptions) this.#remove(id);
    this.#say(problem ? { name: "ended", problem } : { name: "stopped" });
  }

  // Where the server cannot be reached, it ends by itself.
  #remove(id) {
    this.#fhir.remove(`Subscription/${id}`).catch(() => {});
  }

  #say(state) {
    this.#state = state;
    this.#told();
  }
}
