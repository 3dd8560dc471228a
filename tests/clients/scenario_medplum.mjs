// `@medplum/core` goes through the scenario. Usage: scenario_medplum.mjs SERVER_URL KEY
import assert from 'node:assert/strict';

import { code, inMode, resource, run, system, transaction, value } from './scenario.mjs';

// The package touches the WebSocket global on import, which Node has from version 22 on; none is opened here.
globalThis.WebSocket ??= class extends EventTarget {};
const { MedplumClient } = await import('@medplum/core');

const [base, key] = process.argv.slice(2);
const medplum = new MedplumClient({ baseUrl: `${base}/`, fhirUrlPath: 'fhir/R4', accessToken: key, cacheTime: 0 });
let patient;

const refused = async (promise, issue) =>
  assert.rejects(promise, ({ outcome }) => {
    assert.equal(outcome.resourceType, 'OperationOutcome');
    assert.equal(outcome.issue[0].code, issue.code);
    if (issue.expression) assert.deepEqual(outcome.issue[0].expression, issue.expression);
    return true;
  });

await run('medplum', {
  async 'reads the capability statement'() {
    const statement = await medplum.get(medplum.fhirUrl('metadata'));
    assert.equal(statement.fhirVersion, '4.0.1');
    assert.ok(statement.rest[0].resource.some(({ type }) => type === 'Observation'));
  },
  async 'creates under a condition, once'() {
    const query = `identifier=${system}|${value}`;
    patient = await medplum.createResourceIfNoneExist(resource('patient'), query);
    const again = await medplum.createResourceIfNoneExist(resource('patient'), query);
    assert.deepEqual([again.id, again.meta.versionId], [patient.id, '1']);
  },
  async 'reads it and its first version'() {
    assert.deepEqual(await medplum.readResource('Patient', patient.id), patient);
    assert.deepEqual(await medplum.readVersion('Patient', patient.id, '1'), patient);
  },
  async 'updates it with If-Match'() {
    const headers = { 'If-Match': 'W/"1"' };
    const updated = await medplum.updateResource({ ...patient, birthDate: '1980-02-29' }, { headers });
    assert.deepEqual([updated.meta.versionId, updated.birthDate], ['2', '1980-02-29']);
  },
  async 'is refused with an If-Match that is stale'() {
    const headers = { 'If-Match': 'W/"1"' };
    await refused(medplum.updateResource({ ...patient, birthDate: '1981-01-01' }, { headers }), { code: 'conflict' });
  },
  async 'patches it'() {
    const patched = await medplum.patchResource('Patient', patient.id, [{ op: 'add', path: '/gender', value: 'other' }]);
    assert.deepEqual([patched.gender, patched.birthDate, patched.meta.versionId], ['other', '1980-02-29', '3']);
  },
  async 'sends a transaction'() {
    const { entry } = await medplum.executeBatch(transaction());
    assert.deepEqual(entry.map(({ response }) => response.status.slice(0, 3)), ['201', '201', '201', '201', '201', '200']);
  },
  async 'searches page by page with what is referred to'() {
    const query = { subject: `Patient/${patient.id}`, code, _sort: '-date', _count: '2', _include: 'Observation:subject' };
    let bundle = await medplum.search('Observation', query);
    const times = [];
    for (;;) {
      times.push(...inMode(bundle, 'match').map(({ effectiveDateTime }) => effectiveDateTime.slice(14, 16)));
      assert.deepEqual(inMode(bundle, 'include').map(({ id }) => id), [patient.id]);
      const next = bundle.link.find(({ relation }) => relation === 'next');
      if (!next) break;
      bundle = await medplum.get(next.url);
    }
    assert.deepEqual(times, ['05', '04', '03', '02', '01']);
  },
  async 'asks for the last of a code'() {
    const url = medplum.fhirUrl('Observation', '$lastn');
    url.search = new URLSearchParams({ patient: `Patient/${patient.id}`, code, max: '2' });
    const { entry } = await medplum.get(url);
    assert.deepEqual(entry.map(({ resource: { effectiveDateTime } }) => effectiveDateTime.slice(14, 16)), ['05', '04']);
  },
  async 'reads its history'() {
    const { entry } = await medplum.readHistory('Patient', patient.id);
    assert.deepEqual(entry.map((one) => one.resource.meta.versionId), ['3', '2', '1']);
  },
  async 'deletes it'() {
    await medplum.deleteResource('Patient', patient.id);
    await refused(medplum.readResource('Patient', patient.id), { code: 'deleted' });
  },
  async 'is told what is not there'() {
    await refused(medplum.readResource('Patient', 'nobody'), { code: 'not-found' });
  },
  async 'is told which parameter is wrong'() {
    await refused(medplum.search('Observation', { date: 'yesterday' }), { code: 'value', expression: ['date'] });
  },
});
