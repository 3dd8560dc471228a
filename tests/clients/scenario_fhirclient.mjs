// SMART's `fhirclient` of npm goes through the scenario. Usage: scenario_fhirclient.mjs FHIR_BASE KEY
import assert from 'node:assert/strict';

import smart from 'fhirclient';

import { code, inMode, resource, run, system, transaction, value } from './scenario.mjs';

const [serverUrl, access_token] = process.argv.slice(2);
const nowhere = { get: () => null, set: () => null, unset: () => true };
const state = { serverUrl, tokenResponse: { access_token, token_type: 'Bearer' } };
const fhir = smart({ headers: {} }, {}, nowhere).client(state);
let patient;

const refused = async (promise, status, issue) => {
  const error = await promise.then(() => assert.fail('was not refused'), (refusal) => refusal);
  assert.equal(error.status, status, error);
  // The client puts what it was told into the message.
  const outcome = JSON.parse((await error.parse()).message.split('\n\n')[1]);
  assert.equal(outcome.resourceType, 'OperationOutcome');
  assert.equal(outcome.issue[0].code, issue.code);
  if (issue.expression) assert.deepEqual(outcome.issue[0].expression, issue.expression);
};

await run('fhirclient (npm)', {
  async 'reads the capability statement'() {
    const statement = await fhir.request('metadata');
    assert.equal(statement.fhirVersion, '4.0.1');
    assert.ok(statement.rest[0].resource.some(({ type }) => type === 'Observation'));
    assert.equal(await fhir.getFhirRelease(), 4);
  },
  async 'creates under a condition, once'() {
    const headers = { 'If-None-Exist': `identifier=${system}|${value}`, Prefer: 'return=representation' };
    patient = await fhir.create(resource('patient'), { headers });
    const again = await fhir.create(resource('patient'), { headers });
    assert.deepEqual([again.id, again.meta.versionId], [patient.id, '1']);
  },
  async 'reads it and its first version'() {
    assert.deepEqual(await fhir.request(`Patient/${patient.id}`), patient);
    assert.deepEqual(await fhir.request(`Patient/${patient.id}/_history/1`), patient);
  },
  async 'updates it with If-Match'() {
    const headers = { 'If-Match': 'W/"1"' };
    const updated = await fhir.update({ ...patient, birthDate: '1980-02-29' }, { headers });
    assert.deepEqual([updated.meta.versionId, updated.birthDate], ['2', '1980-02-29']);
  },
  async 'is refused with an If-Match that is stale'() {
    const headers = { 'If-Match': 'W/"1"' };
    await refused(fhir.update({ ...patient, birthDate: '1981-01-01' }, { headers }), 412, { code: 'conflict' });
  },
  async 'patches it'() {
    const patched = await fhir.patch(`Patient/${patient.id}`, [{ op: 'add', path: '/gender', value: 'other' }]);
    assert.deepEqual([patched.gender, patched.birthDate, patched.meta.versionId], ['other', '1980-02-29', '3']);
  },
  async 'sends a transaction'() {
    const headers = { 'Content-Type': 'application/fhir+json' };
    const { entry } = await fhir.request({ url: '', method: 'POST', headers, body: JSON.stringify(transaction()) });
    assert.deepEqual(entry.map(({ response }) => response.status.slice(0, 3)), ['201', '201', '201', '201', '201', '200']);
  },
  async 'searches page by page with what is referred to'() {
    const query = { subject: `Patient/${patient.id}`, code, _sort: '-date', _count: '2', _include: 'Observation:subject' };
    const pages = await fhir.request(`Observation?${new URLSearchParams(query)}`, { pageLimit: 0 });
    const times = pages.flatMap((page) => inMode(page, 'match').map((one) => one.effectiveDateTime.slice(14, 16)));
    assert.deepEqual(times, ['05', '04', '03', '02', '01']);
    pages.forEach((page) => assert.deepEqual(inMode(page, 'include').map(({ id }) => id), [patient.id]));
  },
  async 'asks for the last of a code'() {
    const query = new URLSearchParams({ patient: `Patient/${patient.id}`, code, max: '2' });
    const { entry } = await fhir.request(`Observation/$lastn?${query}`);
    assert.deepEqual(entry.map((one) => one.resource.effectiveDateTime.slice(14, 16)), ['05', '04']);
  },
  async 'reads its history'() {
    const { entry } = await fhir.request(`Patient/${patient.id}/_history`);
    assert.deepEqual(entry.map((one) => one.resource.meta.versionId), ['3', '2', '1']);
  },
  async 'deletes it'() {
    await fhir.delete(`Patient/${patient.id}`);
    await refused(fhir.request(`Patient/${patient.id}`), 410, { code: 'deleted' });
  },
  async 'is told what is not there'() {
    await refused(fhir.request('Patient/nobody'), 404, { code: 'not-found' });
  },
  async 'is told which parameter is wrong'() {
    await refused(fhir.request('Observation?date=yesterday'), 400, { code: 'value', expression: ['date'] });
  },
});
