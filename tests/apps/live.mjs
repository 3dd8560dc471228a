// The console's live page in Chromium, through a server that is killed.
// Usage: live.mjs AFFERENT CHROMIUM FOLDER_FOR_PICTURES
import assert from 'node:assert/strict';
import { join } from 'node:path';

import puppeteer from 'puppeteer-core';

import { Patch } from './patch.mjs';
import { Server } from './server.mjs';

const [afferent, executablePath, pictures] = process.argv.slice(2);
const PATIENT = 'bed-4';
const MINUTES = 22;
const FIBRILLATION = [17, 21];
const HEART_RATES = `Observation?patient=${PATIENT}&code=http://loinc.org%7C8867-4&_sort=date`;

const server = new Server(afferent);
await server.start();
const browser = await puppeteer.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
page.setDefaultTimeout(120_000);
await page.setViewport({ width: 1280, height: 900 });

// What the page asks for, and what the browser thinks of it.
const [asked, complaints] = [[], []];
let held;
page.on('pageerror', (error) => complaints.push(error.message));
page.on('console', (message) => {
  if (/Refused|Security Policy|violates/i.test(message.text())) complaints.push(message.text());
});
await page.setRequestInterception(true);
page.on('request', async (request) => {
  asked.push(request.url());
  if (request.url().includes('$get-ws-binding-token')) await held;
  await request.continue();
});
const devtools = await page.createCDPSession();
await devtools.send('Network.enable');
devtools.on('Network.webSocketCreated', ({ url }) => asked.push(url));

const text = (selector) => page.$eval(selector, (element) => element.textContent);
const state = (name) => page.waitForSelector(`#state[data-state="${name}"]`);
// The heart rates the page shows, the oldest first.
const shown = async () => (await page.$$eval('#rows tr', (rows) => rows.map((row) => {
  const [time, value, , number] = [...row.cells].map((cell) => cell.textContent);
  return { id: row.dataset.id, time, value, number };
}))).reverse();
const shows = (count) => page.waitForFunction((n) => document.querySelectorAll('#rows tr').length >= n, {}, count);
async function until(what, isSo) {
  for (let tries = 0; !await isSo(); tries += 1) {
    assert.ok(tries < 1200, `waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
const settled = () => until('packets to be processed', async () => (await server.api('GET', '/api/v1/ingest/lag')).pending === 0);

// Each heart rate there is, once and in order, and each of their events, as the server has numbered them.
async function hasAll() {
  const stored = await server.find(HEART_RATES);
  await shows(stored.length);
  const all = await shown();
  assert.deepEqual(all.map(({ id }) => id), stored.map(({ id }) => id));
  const numbers = all.map(({ number }) => number).filter((number) => number !== 'before').map(Number);
  assert.deepEqual(numbers, numbers.map((_, index) => index + 1));
  const [id] = await page.$$eval('#counts tr[data-id]', (rows) => rows.map((row) => row.dataset.id));
  const { entry } = await server.api('GET', `/fhir/R4/Subscription/${id}/$status`);
  const last = entry[0].resource.parameter.find(({ name }) => name === 'events-since-subscription-start').valueString;
  assert.equal(numbers.at(-1), Number(last));
  const cells = (row) => [...row.cells].map((cell) => cell.textContent);
  const [, events, caughtUp, missing] = await page.$eval(`#counts tr[data-id="${id}"]`, cells);
  assert.deepEqual([events, missing], [`1 – ${last}`, '0']);
  assert.ok(Number(caughtUp) > 0, 'nothing was asked for');
  assert.match(await text('#counts'), /broke once\.No event is missing\./);
}

const patch = new Patch(server.url, server.key, 'patch-1', MINUTES, FIBRILLATION);

const checks = {
  async 'shows what was there, and what comes'() {
    await server.write({ resourceType: 'Patient', id: PATIENT, name: [{ family: 'Four' }], gender: 'other' });
    await server.api('PUT', `/api/v1/devices/${patch.device}`, { patient: PATIENT });
    await patch.send(4);
    await settled();
    await page.goto(`${server.url}/console/live.html`);
    await page.locator('aria/Key').fill(server.key);
    await page.locator('aria/Patient').fill(PATIENT);
    await page.locator('aria/Start').click();
    await state('live');
    await shows(3);
    const before = (await shown()).length;
    assert.ok((await shown()).every(({ number }) => number === 'before'));
    await patch.send(3);
    await shows(before + 3);
    assert.equal((await shown())[before].number, '1');
    const newest = (await shown()).at(-1);
    assert.equal(await text('#value'), String(Math.round(newest.value)));
    assert.ok((await text('#when')).startsWith(newest.time));
    assert.match(await page.$eval('#trend', (svg) => svg.getAttribute('aria-label')), /between \d+ and \d+ per minute/);
  },
  async 'goes on through a server that is killed, without a gap'() {
    const sending = patch.send(FIBRILLATION[0] - 7);
    await patch.has(10);
    await server.kill();
    await state('reconnecting');
    await page.waitForFunction(() => !document.getElementById('counts').textContent.includes('No event is missing'));
    const before = (await shown()).length;
    let release;
    held = new Promise((done) => { release = done; });
    await server.start();
    // More comes in while the page is away.
    await sending;
    await settled();
    const stored = await server.find(HEART_RATES);
    assert.ok(stored.length > before, 'nothing came meanwhile');
    assert.equal((await shown()).length, before);
    release();
    held = undefined;
    await state('live');
    await hasAll();
  },
  async 'a Flag appears when the heart fibrillates, with the strip that shows why'() {
    await patch.send(FIBRILLATION[1] - FIBRILLATION[0]);
    await page.waitForFunction(() => document.querySelector('#flags img')?.naturalWidth > 0);
    assert.equal(await text('#flags h3'), 'Atrial fibrillation');
    const since = await page.$eval('#flags time', (time) => Date.parse(time.dateTime));
    assert.ok(Math.abs(since - patch.time(FIBRILLATION[0])) < 10_000, `since ${new Date(since).toISOString()}`);
    assert.match(await page.$eval('#flags img', (image) => image.alt), /^Electrocardiogram strip/);
    assert.match(await text('[role=alert]'), /Atrial fibrillation since /);
    await settled();
    await hasAll();
    await page.screenshot({ path: join(pictures, 'live.png'), fullPage: true });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await page.setViewport({ width: 390, height: 844, deviceScaleFactor: 2 });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `the page is ${width} wide`);
    await page.screenshot({ path: join(pictures, 'live-phone.png'), fullPage: true });
  },
  async 'a Flag that ends goes'() {
    await patch.send(MINUTES - FIBRILLATION[1]);
    await page.waitForFunction(() => document.getElementById('flags').textContent === 'None');
    await settled();
    await hasAll();
  },
  async 'no URL holds the key or whom it is about, and nothing breaks the policy'() {
    assert.ok(asked.some((url) => url.startsWith('ws://')) && asked.some((url) => url.includes('$events')));
    for (const secret of [server.key, PATIENT]) assert.deepEqual(asked.filter((url) => url.includes(secret)), []);
    assert.deepEqual(complaints, []);
  },
  async 'of another patient nothing of the first is shown'() {
    const subject = { reference: `Patient/${PATIENT}` };
    await server.write({ resourceType: 'Flag', id: 'falls', status: 'active', code: { text: 'May fall' }, subject });
    await page.waitForSelector('#flags h3');
    await page.locator('aria/Stop').click();
    await state('stopped');
    await page.locator('aria/Patient').fill('bed-5');
    await page.locator('aria/Start').click();
    await state('live');
    assert.deepEqual([await text('#flags'), await text('#value'), (await shown()).length], ['None', '–', 0]);
    assert.equal(await page.$eval('#trend', (svg) => svg.childElementCount), 0);
    assert.equal(await page.$eval('#trend', (svg) => svg.getAttribute('aria-label')), 'No heart rate yet');
  },
  async 'whoever leaves ends the subscriptions'() {
    assert.equal((await server.find('Subscription?status=active')).length, 2);
    await page.goto(`${server.url}/console/`);
    await until('the subscriptions to end', async () => (await server.find('Subscription?status=active')).length === 0);
  },
  async 'a key that is not known'() {
    await page.goto(`${server.url}/console/live.html`);
    await page.evaluate(() => sessionStorage.setItem('afferent-key', 'sk_sandbox_nobody'));
    await page.reload();
    await state('ended');
    assert.match(await text('#state'), /Ended: ./);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok - live: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - live: ${name}: ${error.stack}`);
    await page.screenshot({ path: join(pictures, 'live-failed.png') });
  }
}
await browser.close();
await server.end();
process.exit(failed ? 1 : 0);
