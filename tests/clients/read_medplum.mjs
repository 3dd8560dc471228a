// `@medplum/core` reads and searches. Usage: read_medplum.mjs SERVER_URL KEY PATIENT
import assert from 'node:assert/strict';

// The package touches the WebSocket global on import, which Node has from version 22 on; none is opened here.
globalThis.WebSocket ??= class extends EventTarget {};
const { MedplumClient } = await import('@medplum/core');

const [base, key, patient] = process.argv.slice(2);
const medplum = new MedplumClient({ baseUrl: `${base}/`, fhirUrlPath: 'fhir/R4', accessToken: key, cacheTime: 0 });
const heartRates = { patient: `Patient/${patient}`, code: 'http://loinc.org|8867-4', _sort: '-date' };

const checks = {
  async 'reads the capability statement'() {
    const statement = await medplum.get(medplum.fhirUrl('metadata'));
    assert.equal(statement.fhirVersion, '4.0.1');
    assert.ok(statement.rest[0].resource.some((resource) => resource.type === 'Observation'));
  },
  async 'finds heart rates newest first'() {
    const found = await medplum.searchResources('Observation', { ...heartRates, date: 'ge2026-01-18' });
    assert.equal(found.length, 7);
    const times = found.map((observation) => observation.effectiveDateTime);
    assert.deepEqual(times, [...times].sort().reverse());
    assert.ok(found.every(({ valueQuantity: { value, code } }) => value > 55 && value < 90 && code === '/min'));
  },
  async 'finds nothing before the recording'() {
    assert.equal((await medplum.searchResources('Observation', { ...heartRates, date: 'lt2026-01-18' })).length, 0);
  },
  async 'reads an observation by id, a version and its history'() {
    const found = await medplum.searchOne('Observation', heartRates);
    assert.deepEqual(await medplum.readResource('Observation', found.id), found);
    assert.deepEqual(await medplum.readReference({ reference: `Observation/${found.id}` }), found);
    assert.deepEqual(await medplum.readVersion('Observation', found.id, found.meta.versionId), found);
    assert.equal((await medplum.readHistory('Observation', found.id)).entry.length, 1);
  },
  async 'follows the next link to every match'() {
    const query = { patient: `Patient/${patient}` };
    const whole = (await medplum.searchResources('Observation', { ...query, _count: '200' })).map(({ id }) => id);
    const paged = [];
    for await (const page of medplum.searchResourcePages('Observation', { ...query, _count: '9' })) {
      paged.push(...page.map(({ id }) => id));
    }
    assert.ok(whole.length > 30 && new Set(paged).size === paged.length);
    assert.deepEqual(paged.sort(), whole.sort());
  },
  async 'includes devices and provenance'() {
    const query = { ...heartRates, _include: 'Observation:device', _revinclude: 'Provenance:target' };
    const kinds = (await medplum.search('Observation', query)).entry.map(({ resource }) => resource.resourceType);
    const count = (kind) => kinds.filter((one) => one === kind).length;
    assert.deepEqual([count('Observation'), count('Provenance')], [7, 7]);
    assert.ok(count('Device') > 0);
  },
  async 'asks for the provenance of an observation'() {
    const { id } = await medplum.searchOne('Observation', heartRates);
    const [provenance, ...more] = await medplum.searchResources('Provenance', { target: `Observation/${id}` });
    assert.equal(more.length, 0);
    assert.deepEqual(provenance.entity.map(({ role }) => role).sort(), ['derivation', 'source']);
  },
  async 'downloads the strip'() {
    const document = await medplum.searchOne('DocumentReference', { patient: `Patient/${patient}` });
    const { url, contentType } = document.content[0].attachment;
    const id = url.split('/').at(-1);
    const picture = await medplum.download(medplum.fhirUrl('Binary', id), { headers: { Accept: contentType } });
    const bytes = Buffer.from(await picture.arrayBuffer());
    assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
    const binary = await medplum.get(medplum.fhirUrl('Binary', id), { headers: { Accept: 'application/fhir+json' } });
    assert.deepEqual(Buffer.from(binary.data, 'base64'), bytes);
  },
  async 'is told what is not there'() {
    await assert.rejects(medplum.readResource('Observation', 'nobody'), (error) => error.outcome.issue[0].code === 'not-found');
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
