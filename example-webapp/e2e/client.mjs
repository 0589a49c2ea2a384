import { startApp, freePort } from './app.mjs';
import { startProvider } from './provider/server.mjs';

const secret = 'the secret of a client under test';

// startPair starts npm's oidc-provider and the app as its client. They are at
// two sites, 127.0.0.1 and localhost, unless sameSite is set. The options may
// be: provider, of server.mjs; client, metadata over the default; env, of the app.
export async function startPair({ sameSite = false, provider: options = {}, client = {}, env = {} } = {}) {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const provider = await startProvider({
    host: sameSite ? 'localhost' : '127.0.0.1',
    ...options,
    clients: [{
      client_id: 'app',
      client_secret: secret,
      redirect_uris: [`${url}/auth/callback`],
      post_logout_redirect_uris: [`${url}/auth/signed-out`],
      backchannel_logout_uri: `${url}/auth/backchannel-logout`,
      backchannel_logout_session_required: true,
      ...client,
    }],
  });
  try {
    const app = await startApp({ OIDC_ISSUER: provider.issuer, OIDC_CLIENT_ID: 'app', OIDC_CLIENT_SECRET: secret, ...env }, { port });
    return { app, provider, control: (path, method = 'GET', body = undefined) => control(provider, path, method, body), stop: async () => { await app.stop(); await provider.close(); } };
  } catch (err) {
    await provider.close();
    throw err;
  }
}

async function control(provider, path, method, body) {
  const answer = await fetch(`${provider.control}/${path}`, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
