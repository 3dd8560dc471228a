// An OAuth server of others, npm's oidc-provider, with a client that has a secret and one that signs, before a receiver whose
// FHIR API takes its tokens. Usage: oauth.mjs RECEIVER JWKS_URI CLIENT_ID CLIENT_SECRET; prints {"url"} when it listens.
//   POST /_control/{forget,look-again}   its tokens are good no more; it reads the client's keys anew
//   POST /_control/life?SECONDS          how long its next tokens are good; GET /_control/counts
import { createServer, request } from 'node:http';

import Provider from 'oidc-provider';

const [receiver, jwks_uri, client_id, client_secret] = process.argv.slice(2);
const counts = { tokens: 0, refused: 0, unknown: 0 };
const good = new Set();
let life = 2;
let provider;

function begin(issuer) {
  const machine = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [], scope: 'system/*.cruds' };
  const [token_endpoint_auth_method, more] = client_secret
    ? ['client_secret_basic', { client_secret }]
    : ['private_key_jwt', { jwks_uri, token_endpoint_auth_signing_alg: 'ES384' }];
  provider = new Provider(issuer, {
    clients: [{ client_id, token_endpoint_auth_method, ...more, ...machine }],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    scopes: ['system/*.cruds'],
    ttl: { ClientCredentials: () => life },
    // It asks no addresses of this machine; here the keys are at one.
    fetch: (address, { dispatcher, ...options }) => fetch(address, options),
    enabledJWA: { clientAuthSigningAlgValues: ['ES384'] },
  });
  provider.on('grant.success', (ctx) => { counts.tokens += 1; good.add(ctx.body.access_token); });
  provider.on('grant.error', () => { counts.refused += 1; });
}

function control(path, outgoing) {
  if (path === 'forget') good.clear();
  if (path === 'look-again') begin(url());
  if (path.startsWith('life?')) life = Number(path.slice(5));
  outgoing.setHeader('content-type', 'application/json');
  outgoing.end(JSON.stringify(counts));
}

async function api(incoming, outgoing) {
  const token = (incoming.headers.authorization ?? '').replace(/^Bearer /, '');
  if (!good.has(token) || !(await provider.ClientCredentials.find(token))?.isValid) {
    counts.unknown += 1;
    return outgoing.writeHead(401).end();
  }
  const { method, headers } = incoming;
  const onward = request(`${receiver}${incoming.url}`, { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  return incoming.pipe(onward);
}

const server = createServer((incoming, outgoing) => {
  if (incoming.url.startsWith('/_control/')) return control(incoming.url.slice('/_control/'.length), outgoing);
  return incoming.url.startsWith('/fhir/') ? api(incoming, outgoing) : provider.callback()(incoming, outgoing);
});
const url = () => `http://127.0.0.1:${server.address().port}`;
server.listen(0, '127.0.0.1', () => {
  begin(url());
  console.log(JSON.stringify({ url: url() }));
});
