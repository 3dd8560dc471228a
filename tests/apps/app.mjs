// An app: fhirclient as its makers ship it, in two pages.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const FILES = {
  '/launch.html': ['launch.html', 'text/html'],
  '/index.html': ['index.html', 'text/html'],
  '/fhir-client.js': ['node_modules/fhirclient/build/fhir-client.min.js', 'text/javascript'],
};

export async function startApp() {
  const server = createServer(async (request, response) => {
    const [file, type] = FILES[new URL(request.url, 'http://app').pathname] ?? [];
    response.writeHead(file ? 200 : 404, { 'Content-Type': `${type ?? 'text/plain'}; charset=utf-8` });
    response.end(file ? await readFile(file) : '');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}
