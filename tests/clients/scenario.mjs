// The scenario every client goes through; its steps and resources stand in scenario.json.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

const whole = JSON.parse(readFileSync(new URL('scenario.json', import.meta.url)));
export const { system, code } = whole;
export const value = randomUUID();

/** A resource of the scenario for this run. */
export const resource = (name, n = 0) =>
  JSON.parse(JSON.stringify(whole[name]).replaceAll('{value}', value).replaceAll('{n}', n));

/** The patient under a condition, and Observations that refer to it, each before it. */
export const transaction = () => {
  const numbers = Array.from({ length: whole.observations }, (_, index) => index + 1);
  const create = { method: 'POST', url: 'Observation' };
  const entry = numbers.map((n) => ({ resource: resource('observation', n), request: create }));
  const request = { method: 'POST', url: 'Patient', ifNoneExist: `identifier=${system}|${value}` };
  entry.push({ fullUrl: entry[0].resource.subject.reference, resource: resource('patient'), request });
  return { resourceType: 'Bundle', type: 'transaction', entry };
};

/** Entries of a Bundle by their `search.mode`. */
export const inMode = (bundle, mode) => bundle.entry.filter((entry) => entry.search.mode === mode).map((entry) => entry.resource);

/** Goes through the steps in their order and ends the program: 0 when all hold. */
export const run = async (client, steps) => {
  let failed = 0;
  for (const name of new Set([...whole.steps, ...Object.keys(steps)])) {
    try {
      if (!whole.steps.includes(name)) throw new Error('is no step of the scenario');
      await steps[name]();
      console.log(`ok - ${client}: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok - ${client}: ${name}: ${error.stack ?? error}`);
    }
  }
  process.exit(failed ? 1 : 0);
};
