// `@medplum/core` writes. Usage: write_medplum.mjs SERVER_URL KEY
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

// The package touches the WebSocket global on import, which Node has from version 22 on; none is opened here.
globalThis.WebSocket ??= class extends EventTarget {};
const { MedplumClient } = await import('@medplum/core');

const [base, key] = process.argv.slice(2);
const medplum = new MedplumClient({ baseUrl: `${base}/`, fhirUrlPath: 'fhir/R4', accessToken: key, cacheTime: 0 });
const system = 'https://tests.example/medplum';
const patient = (value) => ({ resourceType: 'Patient', identifier: [{ system, value }], name: [{ family: 'Doe' }] });

const checks = {
  async 'creates, updates, patches and deletes'() {
    const created = await medplum.createResource(patient(randomUUID()));
    assert.equal(created.meta.versionId, '1');
    const updated = await medplum.updateResource({ ...created, birthDate: '1980-02-29' });
    assert.equal(updated.meta.versionId, '2');
    const patched = await medplum.patchResource('Patient', created.id, [{ op: 'add', path: '/gender', value: 'other' }]);
    assert.deepEqual([patched.gender, patched.birthDate, patched.meta.versionId], ['other', '1980-02-29', '3']);
    assert.equal((await medplum.readVersion('Patient', created.id, '1')).birthDate, undefined);
    assert.equal((await medplum.readHistory('Patient', created.id)).entry.length, 3);
    await medplum.deleteResource('Patient', created.id);
    await assert.rejects(medplum.readResource('Patient', created.id), (error) => error.outcome.issue[0].code === 'deleted');
  },
  async 'creates once under a condition'() {
    const value = randomUUID();
    const query = `identifier=${system}|${value}`;
    const first = await medplum.createResourceIfNoneExist(patient(value), query);
    const again = await medplum.createResourceIfNoneExist(patient(value), query);
    assert.equal(first.id, again.id);
    const upserted = await medplum.upsertResource({ ...patient(value), active: true }, query);
    assert.deepEqual([upserted.id, upserted.active], [first.id, true]);
    assert.equal((await medplum.searchResources('Patient', query)).length, 1);
  },
  async 'sends a transaction and a batch'() {
    const [value, urn] = [randomUUID(), `urn:uuid:${randomUUID()}`];
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject: { reference: urn } };
    const entry = [
      { resource: observation, request: { method: 'POST', url: 'Observation' } },
      { fullUrl: urn, resource: patient(value), request: { method: 'POST', url: 'Patient' } },
    ];
    const answer = await medplum.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry });
    assert.deepEqual(answer.entry.map(({ response }) => response.status.slice(0, 3)), ['201', '201']);
    const [found] = await medplum.searchResources('Patient', { identifier: `${system}|${value}` });
    assert.equal((await medplum.searchResources('Observation', { subject: `Patient/${found.id}` })).length, 1);
    const reads = [{ request: { method: 'GET', url: `Patient/${found.id}` } }, { request: { method: 'GET', url: 'Patient/nobody' } }];
    const batch = await medplum.executeBatch({ resourceType: 'Bundle', type: 'batch', entry: reads });
    assert.deepEqual(batch.entry.map(({ response }) => response.status.slice(0, 3)), ['200', '404']);
    assert.equal(batch.entry[0].resource.id, found.id);
  },
  async 'writes and reads a file'() {
    const binary = await medplum.createBinary({ data: 'waves', filename: 'x.txt', contentType: 'text/plain' });
    const file = await medplum.download(medplum.fhirUrl('Binary', binary.id), { headers: { Accept: 'text/plain' } });
    assert.equal(await file.text(), 'waves');
  },
  async 'is told what is wrong'() {
    await assert.rejects(medplum.createResource({ ...patient('x'), colour: 'red' }), (error) =>
      error.outcome.issue[0].expression.includes('Patient.colour'));
  },
};

let failed = 0;
for (const [name, run] of Object.entries(checks)) {
  try {
    await run();
    console.log(`ok - medplum: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - medplum: ${name}: ${error.stack ?? error}`);
  }
}
process.exit(failed ? 1 : 0);
