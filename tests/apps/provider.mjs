// Where people sign in: npm's oidc-provider, which takes any name for a person's.
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

export async function startProvider(port, callback) {
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: process.env.AFFERENT_SIGN_IN_CLIENT_ID,
      client_secret: process.env.AFFERENT_SIGN_IN_CLIENT_SECRET,
      redirect_uris: [callback],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    }],
    cookies: { keys: ['for tests'] },
    pkce: { required: () => true },
  });
  const server = createServer(provider.callback());
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return { issuer, stop: () => server.close() };
}
