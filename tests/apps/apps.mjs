// Usage: apps.mjs URL KEY PROVIDER_PORT CHROMIUM
import assert from 'node:assert/strict';

import puppeteer from 'puppeteer-core';

import { startApp } from './app.mjs';
import { goThrough } from './person.mjs';
import { startProvider } from './provider.mjs';

const [url, key, port, executablePath] = process.argv.slice(2);
const base = `${url}/fhir/R4`;
const SCOPE = 'launch/patient openid fhirUser offline_access patient/Patient.r patient/Observation.rs';

async function api(method, path, body, type = 'application/json') {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': type };
  const response = await fetch(`${url}${path}`, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
  return response.status === 204 ? undefined : response.json();
}

const provider = await startProvider(port, `${url}/oauth2/callback`);
const app = await startApp();
const browser = await puppeteer.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu'] });

// Two patients, each with a vital sign and something else.
for (const n of [1, 2]) {
  const patient = { resourceType: 'Patient', id: `ward-${n}`, name: [{ family: `Ward${n}` }], gender: 'other' };
  await api('PUT', `/fhir/R4/Patient/ward-${n}`, patient, 'application/fhir+json');
  for (const category of ['vital-signs', 'survey']) {
    const id = `${category}-${n}`;
    await api('PUT', `/fhir/R4/Observation/${id}`, {
      resourceType: 'Observation', id, status: 'final', subject: { reference: `Patient/ward-${n}` },
      category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: category }] }],
      code: { text: id }, effectiveDateTime: '2026-01-18T14:00:00Z', valueString: 'x',
    }, 'application/fhir+json');
  }
}
const { id: client } = await api('POST', '/api/v1/clients', {
  name: 'Browser app', redirect_uris: [`${app.url}/index.html`],
  scope: 'launch launch/patient openid fhirUser offline_access patient/*.rs user/*.rs',
});
const user = (subject, resource) => api('POST', '/api/v1/users', { issuer: provider.issuer, subject, resource });
await user('robin', 'Practitioner/robin');
await user('patient-2', 'Patient/ward-2');

const opened = (more) => `${app.url}/launch.html?${new URLSearchParams({ iss: base, client, scope: SCOPE, ...more })}`;
const people = { provider: provider.issuer, server: url, app: app.url };

// In a browser of their own somebody opens the app and goes through all of it.
async function open(more, person, onPage) {
  const context = await browser.createBrowserContext();
  try {
    const page = await context.newPage();
    await onPage?.(page);
    await page.goto(opened(more));
    return await goThrough(page, { ...people, ...person });
  } finally {
    await context.close();
  }
}

const token = (parameters) => fetch(`${url}/oauth2/token`, { method: 'POST', body: new URLSearchParams(parameters) });

// What an app would do to have somebody sign in: the cookie and the state that go with it.
async function begun() {
  const verifier = 'a-verifier-of-at-least-forty-three-characters';
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const asked = {
    response_type: 'code', client_id: client, redirect_uri: `${app.url}/index.html`, scope: SCOPE, state: 's', aud: base,
    code_challenge: Buffer.from(digest).toString('base64url'), code_challenge_method: 'S256',
  };
  const response = await fetch(`${url}/oauth2/authorize?${new URLSearchParams(asked)}`, { redirect: 'manual' });
  assert.equal(response.status, 303);
  const there = new URL(response.headers.get('location'));
  assert.equal(there.origin, provider.issuer);
  return { cookie: response.headers.get('set-cookie').split(';')[0], state: there.searchParams.get('state'), there };
}

async function comesBack(parameters, cookie) {
  const headers = cookie ? { Cookie: cookie } : {};
  const back = `${url}/oauth2/callback?${new URLSearchParams(parameters)}`;
  const response = await fetch(back, { redirect: 'manual', headers });
  assert.equal(response.headers.get('set-cookie'), null);
  assert.equal(response.headers.get('location'), null);
  return response.status;
}

const checks = {
  async 'standalone launch in Chromium: somebody signs in at the provider and chooses a patient'() {
    const result = await open({}, { login: 'robin', patient: 'ward-1' });
    assert.deepEqual([result.patient, result.name], ['ward-1', 'Ward1'], JSON.stringify(result));
    assert.equal(result.user, 'Practitioner/robin');
    assert.deepEqual(result.observations, ['survey-1', 'vital-signs-1']);
    assert.deepEqual([result.own, result.others], [200, 404]);
    const again = { grant_type: 'refresh_token', client_id: client, refresh_token: result.tokens.refresh_token };
    const refreshed = await token(again);
    assert.equal(refreshed.status, 200);
    const next = await refreshed.json();
    assert.equal((await token(again)).status, 400);
    // The second time takes everything back, within the second a token is trusted for.
    await new Promise((done) => setTimeout(done, 1100));
    const headers = { Authorization: `Bearer ${next.access_token}` };
    assert.equal((await fetch(`${base}/Patient/ward-1`, { headers })).status, 401);
  },
  async 'standalone launch in Chromium: vital signs alone'() {
    const result = await open({}, { login: 'robin', patient: 'ward-1', narrow: 'part.1.vital-signs' });
    assert.deepEqual(result.observations, ['vital-signs-1'], JSON.stringify(result));
    assert.match(result.tokens.scope, /patient\/Observation\.rs\?category=/);
  },
  async 'standalone launch in Chromium: a patient chooses nobody'() {
    const result = await open({}, { login: 'patient-2', patient: 'ward-1' });
    assert.deepEqual([result.patient, result.others, result.own], ['ward-2', 200, 404], JSON.stringify(result));
  },
  async 'EHR launch in Chromium: the app is about whom the EHR says'() {
    const { launch } = await api('POST', '/api/v1/launches', { client, patient: 'ward-2', need_patient_banner: false });
    const scope = SCOPE.replace('launch/patient', 'launch');
    const result = await open({ launch, scope }, { login: 'robin', patient: 'ward-1' });
    assert.deepEqual([result.patient, result.tokens.need_patient_banner], ['ward-2', false], JSON.stringify(result));
    assert.deepEqual([result.own, result.others], [404, 200]);
    assert.equal((await fetch(result.tokens.smart_style_url)).status, 200);
    const spent = await open({ launch, scope }, { login: 'robin' });
    assert.equal(spent.refused, 'invalid_request');
  },
  async 'somebody who says no'() {
    const result = await open({}, { login: 'robin', decision: 'deny' });
    assert.equal(result.refused, 'access_denied');
  },
  async 'somebody whom the provider knows and nobody here'() {
    const result = await open({}, { login: 'stranger' });
    assert.match(result.told, /nobody has said who you are/);
  },
  async 'attack, mix-up: an answer that is not of the provider that was asked, or does not say whose it is'() {
    for (const iss of ['https://evil.example', `${provider.issuer}/`, undefined]) {
      const { cookie, state } = await begun();
      assert.equal(await comesBack({ code: 'x', state, ...(iss && { iss }) }, cookie), 502, iss);
    }
  },
  async 'attack, CSRF on sign-in: an answer in a browser that asked nothing, or something else, or twice'() {
    const [one, two] = [await begun(), await begun()];
    const answer = { code: 'x', state: one.state, iss: provider.issuer };
    assert.equal(await comesBack(answer), 400);
    assert.equal(await comesBack(answer, two.cookie), 400);
    assert.equal(await comesBack(answer, one.cookie), 502);
    assert.equal(await comesBack(answer, one.cookie), 400);
  },
  async 'attack, code injection: the code of somebody else who signed in at the provider'() {
    let stolen;
    const watch = async (page) => {
      await page.setRequestInterception(true);
      page.on('request', (request) => {
        const isBack = request.url().startsWith(`${url}/oauth2/callback`);
        if (!isBack) return request.continue();
        stolen = new URL(request.url()).searchParams;
        return request.respond({ status: 200, contentType: 'text/html', body: '<main>stopped</main>' });
      });
    };
    const result = await open({}, { login: 'robin' }, watch);
    assert.equal(result.told, 'stopped');
    const { cookie, state } = await begun();
    assert.equal(await comesBack({ code: stolen.get('code'), state, iss: provider.issuer }, cookie), 502);
  },
  async 'attack, PKCE downgrade: the provider is asked with S256 and a nonce'() {
    const { there } = await begun();
    assert.equal(there.searchParams.get('code_challenge_method'), 'S256');
    assert.ok(there.searchParams.get('nonce').length >= 16);
  },
  async 'a user who is taken back, and what they granted'() {
    const result = await open({}, { login: 'robin', patient: 'ward-1' });
    const { items } = await api('GET', '/api/v1/users');
    await api('DELETE', `/api/v1/users/${items.find(({ subject }) => subject === 'robin').id}`);
    await new Promise((done) => setTimeout(done, 1100));
    const headers = { Authorization: `Bearer ${result.tokens.access_token}` };
    assert.equal((await fetch(`${base}/Patient/ward-1`, { headers })).status, 401);
    assert.match((await open({}, { login: 'robin' })).told, /nobody has said who you are/);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok - apps: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - apps: ${name}: ${error.stack}`);
  }
}
await browser.close();
app.stop();
provider.stop();
process.exit(failed ? 1 : 0);
