// Makes the receiver on Medplum's code durable: what a request wrote is in the file JOURNAL, as one line, before it is answered,
// and is there again when the receiver is started after a kill: `node --import ./durable.mjs receiver.mjs`, in its folder.
import './polyfill.mjs';
import fs from 'node:fs';

import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const of = (map, key) => map.get(key) ?? map.set(key, new Map()).get(key);

// A last line that is not whole was not answered.
function open(repository) {
  const text = fs.existsSync(process.env.JOURNAL) ? fs.readFileSync(process.env.JOURNAL) : Buffer.alloc(0);
  const whole = text.lastIndexOf('\n') + 1;
  for (const line of text.subarray(0, whole).toString().split('\n').filter(Boolean)) {
    for (const resource of JSON.parse(line)) {
      of(repository.resources, resource.resourceType).set(resource.id, resource);
      const history = of(repository.history, resource.resourceType);
      history.set(resource.id, [...(history.get(resource.id) ?? []), resource]);
    }
  }
  const file = fs.openSync(process.env.JOURNAL, 'a');
  fs.ftruncateSync(file, whole);
  return file;
}

let written = [];
const { createResource } = MemoryRepository.prototype;
MemoryRepository.prototype.createResource = async function (...given) {
  const resource = await createResource.apply(this, given);
  written.push(resource);
  return resource;
};

// Entries of a Bundle are requests within a request; what was rolled back is not there.
let journal;
let depth = 0;
const { handleRequest } = FhirRouter.prototype;
FhirRouter.prototype.handleRequest = async function (request, repository, ...more) {
  if (depth > 0) return handleRequest.call(this, request, repository, ...more);
  journal ??= open(repository);
  written = [];
  depth += 1;
  try {
    return await handleRequest.call(this, request, repository, ...more);
  } finally {
    depth -= 1;
    const isThere = ({ resourceType, id, meta }) =>
      repository.resources.get(resourceType)?.get(id)?.meta?.versionId === meta.versionId;
    const kept = written.filter(isThere);
    if (kept.length) {
      fs.writeSync(journal, `${JSON.stringify(kept)}\n`);
      fs.fdatasyncSync(journal);
    }
  }
};
