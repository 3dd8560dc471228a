// `fhir-kit-client` goes through the scenario. Usage: scenario_fhir_kit_client.mjs FHIR_BASE KEY
import assert from 'node:assert/strict';

import { Client } from 'fhir-kit-client';

import { code, inMode, resource, run, system, transaction, value } from './scenario.mjs';

const [baseUrl, bearerToken] = process.argv.slice(2);
const fhir = new Client({ baseUrl, bearerToken });
const resourceType = 'Patient';
let patient;

const refused = async (promise, status, issue) =>
  assert.rejects(promise, ({ response }) => {
    assert.equal(response.status, status);
    assert.equal(response.data.resourceType, 'OperationOutcome');
    assert.equal(response.data.issue[0].code, issue.code);
    if (issue.expression) assert.deepEqual(response.data.issue[0].expression, issue.expression);
    return true;
  });

await run('fhir-kit-client', {
  async 'reads the capability statement'() {
    const statement = await fhir.capabilityStatement();
    assert.equal(statement.fhirVersion, '4.0.1');
    assert.ok(statement.rest[0].resource.some(({ type }) => type === 'Observation'));
  },
  async 'creates under a condition, once'() {
    const options = { headers: { 'If-None-Exist': `identifier=${system}|${value}`, Prefer: 'return=representation' } };
    patient = await fhir.create({ resourceType, body: resource('patient'), options });
    const again = await fhir.create({ resourceType, body: resource('patient'), options });
    assert.deepEqual([again.id, again.meta.versionId], [patient.id, '1']);
    assert.equal(Client.httpFor(again).response.status, 200);
  },
  async 'reads it and its first version'() {
    assert.deepEqual(await fhir.read({ resourceType, id: patient.id }), patient);
    assert.deepEqual(await fhir.vread({ resourceType, id: patient.id, version: '1' }), patient);
  },
  async 'updates it with If-Match'() {
    const options = { headers: { 'If-Match': 'W/"1"' } };
    const body = { ...patient, birthDate: '1980-02-29' };
    const updated = await fhir.update({ resourceType, id: patient.id, body, options });
    assert.deepEqual([updated.meta.versionId, updated.birthDate], ['2', '1980-02-29']);
  },
  async 'is refused with an If-Match that is stale'() {
    const options = { headers: { 'If-Match': 'W/"1"' } };
    const body = { ...patient, birthDate: '1981-01-01' };
    await refused(fhir.update({ resourceType, id: patient.id, body, options }), 412, { code: 'conflict' });
  },
  async 'patches it'() {
    const jsonPatch = [{ op: 'add', path: '/gender', value: 'other' }];
    const patched = await fhir.patch({ resourceType, id: patient.id, jsonPatch });
    assert.deepEqual([patched.gender, patched.birthDate, patched.meta.versionId], ['other', '1980-02-29', '3']);
  },
  async 'sends a transaction'() {
    const { entry } = await fhir.transaction({ body: transaction() });
    assert.deepEqual(entry.map(({ response }) => response.status.slice(0, 3)), ['201', '201', '201', '201', '201', '200']);
  },
  async 'searches page by page with what is referred to'() {
    const searchParams = { subject: `Patient/${patient.id}`, code, _sort: '-date', _count: 2, _include: 'Observation:subject' };
    const times = [];
    let bundle = await fhir.search({ resourceType: 'Observation', searchParams });
    while (bundle) {
      times.push(...inMode(bundle, 'match').map(({ effectiveDateTime }) => effectiveDateTime.slice(14, 16)));
      assert.deepEqual(inMode(bundle, 'include').map(({ id }) => id), [patient.id]);
      bundle = await fhir.nextPage({ bundle });
    }
    assert.deepEqual(times, ['05', '04', '03', '02', '01']);
  },
  async 'asks for the last of a code'() {
    const input = { patient: `Patient/${patient.id}`, code, max: 2 };
    const { entry } = await fhir.operation({ name: 'lastn', resourceType: 'Observation', method: 'GET', input });
    assert.deepEqual(entry.map((one) => one.resource.effectiveDateTime.slice(14, 16)), ['05', '04']);
  },
  async 'reads its history'() {
    const { entry } = await fhir.history({ resourceType, id: patient.id });
    assert.deepEqual(entry.map((one) => one.resource.meta.versionId), ['3', '2', '1']);
  },
  async 'deletes it'() {
    await fhir.delete({ resourceType, id: patient.id });
    await refused(fhir.read({ resourceType, id: patient.id }), 410, { code: 'deleted' });
  },
  async 'is told what is not there'() {
    await refused(fhir.read({ resourceType, id: 'nobody' }), 404, { code: 'not-found' });
  },
  async 'is told which parameter is wrong'() {
    const searchParams = { date: 'yesterday' };
    const search = fhir.search({ resourceType: 'Observation', searchParams });
    await refused(search, 400, { code: 'value', expression: ['date'] });
  },
});
