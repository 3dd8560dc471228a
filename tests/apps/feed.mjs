// The live page's feed by itself, with a server that forgets, repeats and comes back with less.
import assert from 'node:assert/strict';

import { Feed, wait } from './live/feed.js';

const parameter = (name, value) => ({ name, ...value });

// A notification of events with these numbers, of so many there are.
function notification(type, known, numbers = []) {
  const event = (number) => ({ part: [parameter('event-number', { valueString: String(number) })] });
  const events = numbers.map((number) => parameter('notification-event', event(number)));
  const status = [
    parameter('subscription', { valueReference: { reference: 'http://server/fhir/R4/Subscription/s' } }),
    parameter('status', { valueCode: 'active' }), parameter('type', { valueCode: type }),
    parameter('events-since-subscription-start', { valueString: String(known) }), ...events,
  ];
  return { resourceType: 'Bundle', entry: [{ resource: { resourceType: 'Parameters', parameter: status } }] };
}

// A feed that listens, what it was told and the sockets it opened; `log` are the events the server still has.
async function listening(log) {
  const sockets = [];
  globalThis.WebSocket = class {
    constructor() { sockets.push(this); }
    close() {}
    says(message) { this.onmessage({ data: JSON.stringify(message) }); }
  };
  const removed = [];
  const fhir = {
    create: async () => ({ id: 's' }),
    remove: async (path) => { removed.push(path); },
    read: async (path) => {
      if (path.includes('$get-ws-binding-token')) return { parameter: [parameter('token', { valueString: 't' })] };
      const since = Number(/eventsSinceNumber=(\d+)/.exec(path)?.[1]);
      return since ? notification('query-event', log.at(-1), log.filter((number) => number >= since)) : { status: 'active' };
    },
  };
  const taken = [];
  const feed = new Feed(fhir, 'ws://server', () => {});
  await feed.start([{ name: 'Heart rate', topic: 'vital-sign', filters: [], take: ({ number }) => taken.push(number) }]);
  return { feed, taken, sockets, removed, missing: () => feed.state.subscriptions[0].missing };
}

const soon = () => new Promise((done) => setTimeout(done, 20));
const name = ({ feed }) => feed.state.name;

const checks = {
  async 'hands on each event once and in order, and asks for what did not come'() {
    const it = await listening([1, 2, 3, 4, 5]);
    it.sockets[0].says(notification('handshake', 0));
    assert.equal(name(it), 'live');
    for (const numbers of [[1], [1], [4, 5], [2]]) it.sockets[0].says(notification('event-notification', numbers.at(-1), numbers));
    assert.equal(name(it), 'catching-up');
    await soon();
    assert.deepEqual([it.taken, it.missing(), name(it)], [[1, 2, 3, 4, 5], 0, 'live']);
    it.feed.stop();
    assert.deepEqual([name(it), it.removed], ['stopped', ['Subscription/s']]);
  },
  async 'says how many cannot be had, and goes on after them'() {
    const it = await listening([1, 4, 5]);
    it.sockets[0].says(notification('handshake', 5));
    await soon();
    assert.deepEqual([it.taken, it.missing(), name(it)], [[1, 4, 5], 2, 'live']);
    it.sockets[0].says(notification('heartbeat', 7));
    await soon();
    assert.deepEqual([it.taken, it.missing(), name(it)], [[1, 4, 5], 4, 'live']);
    it.feed.stop();
  },
  async 'comes back, and catches up from the number it has'() {
    const it = await listening([1, 2, 3]);
    it.sockets[0].says(notification('handshake', 1));
    await soon();
    it.sockets[0].onclose();
    assert.equal(name(it), 'reconnecting');
    it.sockets[0].says(notification('event-notification', 9, [9]));
    it.feed.hurry();
    await soon();
    it.sockets[1].says(notification('handshake', 3));
    await soon();
    assert.deepEqual([it.taken, it.missing(), name(it)], [[1, 2, 3], 0, 'live']);
    it.feed.stop();
  },
  async 'ends where the server has fewer events than were seen'() {
    const it = await listening([1, 2, 3]);
    it.sockets[0].says(notification('handshake', 3));
    await soon();
    it.sockets[0].onclose();
    it.feed.hurry();
    await soon();
    it.sockets[1].says(notification('handshake', 2));
    assert.equal(name(it), 'ended');
    assert.match(it.feed.state.problem, /lost events/);
  },
  async 'waits longer each time, by chance, and half a minute at most'() {
    const waits = [0, 1, 2, 20].map((attempt) => [wait(attempt, 0), wait(attempt, 1)]);
    assert.deepEqual(waits, [[250, 500], [500, 1000], [1000, 2000], [15_000, 30_000]]);
  },
};

let failed = 0;
for (const [title, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok - feed: ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - feed: ${title}: ${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
