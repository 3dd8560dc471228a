// A patch that records an ECG and keeps every packet until the server has it, whatever becomes of the connection.
import { WebSocket } from 'ws';

import { RATE_HZ, record } from './heart.mjs';

const MINUTE = 60;

export class Patch {
  #url;
  #key;
  #start;
  #seconds;
  // Minutes the server has.
  #sent = 0;
  #watching = [];

  // It has recorded for so many minutes until now; between two of them the heart fibrillated.
  constructor(url, key, device, minutes, fibrillation) {
    this.#url = `${url.replace('http', 'ws')}/ingest/stream`;
    this.#key = key;
    this.device = device;
    this.#start = (Math.floor(Date.now() / 60_000) - minutes) * 60_000;
    this.#seconds = record(minutes * MINUTE, fibrillation.map((minute) => minute * MINUTE));
  }

  // When a minute began.
  time(minute) {
    return this.#start + minute * MINUTE * 1000;
  }

  #packets(minute) {
    const from = minute * MINUTE;
    return this.#seconds.slice(from, from + MINUTE).map((values, index) => ({
      device: this.device,
      stream: 'ecg',
      sequence: from + index,
      device_time: new Date(this.time(minute) + index * 1000).toISOString(),
      ...(from + index + 1 === this.#seconds.length && { end_of_stream: true }),
      samples: { signal: 'ecg', lead: 'II', rate_hz: RATE_HZ, unit: 'uV', values },
    }));
  }

  // Sends the next minutes, each as often as it takes.
  async send(minutes) {
    const until = this.#sent + minutes;
    while (this.#sent < until) {
      await this.#connection(until).catch(() => new Promise((done) => setTimeout(done, 50)));
    }
  }

  // When the server has so many minutes.
  has(minutes) {
    return new Promise((done) => this.#watching.push({ minutes, done }));
  }

  // Sends for as long as a connection holds.
  #connection(until) {
    return new Promise((done, fail) => {
      const socket = new WebSocket(this.#url, { headers: { Authorization: `Bearer ${this.#key}` } });
      const next = () => {
        if (this.#sent === until) socket.close();
        else socket.send(JSON.stringify(this.#packets(this.#sent)));
      };
      socket.on('open', next);
      socket.on('message', (data) => {
        const { problem } = JSON.parse(data);
        if (problem) return socket.terminate();
        this.#sent += 1;
        this.#watching.filter(({ minutes }) => minutes <= this.#sent).forEach((one) => one.done());
        next();
      });
      socket.on('error', fail);
      socket.on('close', done);
    });
  }
}
