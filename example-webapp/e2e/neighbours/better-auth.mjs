// better-auth with its OAuth provider, on loopback, for the journeys of neighbours_test.go:
//
//	node better-auth.mjs PORT DATABASE APP
//
// GET /control/client has the client that is registered for APP; POST /control/rotate drops the signing keys, so that the next token
// has a new one; POST /control/disable deletes the user, for it has no other switch.
import http from 'node:http';
import { oauthProvider } from '@better-auth/oauth-provider';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import Database from 'better-sqlite3';

const [port, file, app] = process.argv.slice(2);
const base = `http://127.0.0.1:${port}`;
const database = new Database(file);
const options = {
  baseURL: base,
  secret: 'Zk3vQ9xTn7Lr2YwHc8Ub5Ms1Dg6Pj4Ae',
  database,
  emailAndPassword: { enabled: true },
  disabledPaths: ['/token'],
  rateLimit: { enabled: false },
  trustedOrigins: [base],
  plugins: [
    jwt({ jwks: { keyPairConfig: { alg: 'RS256' } } }),
    oauthProvider({
      loginPage: '/sign-in', consentPage: '/consent', silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
    }),
  ],
};
const auth = betterAuth(options);
const { runMigrations } = await getMigrations(options);
await runMigrations();

database.exec('CREATE TABLE IF NOT EXISTS control (client TEXT)');
let client = database.prepare('SELECT client FROM control').get()?.client;
if (!client) {
  const who = { email: 'alice@example.test', password: 'password123' };
  const signedUp = await auth.api.signUpEmail({ body: { ...who, name: 'Alice' }, asResponse: true });
  const cookie = signedUp.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
  client = JSON.stringify(await auth.api.adminCreateOAuthClient({
    headers: new Headers({ cookie }),
    body: {
      client_name: 'app', type: 'native', application_type: 'native', token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [`${app}/auth/callback`], post_logout_redirect_uris: [`${app}/auth/signed-out`],
      skip_consent: true, enable_end_session: true, require_pkce: true,
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'], scope: 'openid profile email offline_access',
    },
  }));
  database.prepare('INSERT INTO control VALUES (?)').run(client);
}

const handle = toNodeHandler(auth);
const own = {
  'GET /control/client': () => client,
  'POST /control/rotate': () => database.exec('DELETE FROM jwks') && '{}',
  'POST /control/disable': () => database.exec('DELETE FROM user') && '{}',
};
http.createServer(async (req, res) => {
  const answer = own[`${req.method} ${req.url}`];
  if (answer) {
    res.end(String(answer()));
  } else if (req.url === '/api/auth/.well-known/openid-configuration') {
    res.setHeader('content-type', 'application/json').end(JSON.stringify(await auth.api.getOpenIdConfig()));
  } else if (req.url.startsWith('/sign-in') || req.url.startsWith('/consent')) {
    res.setHeader('content-type', 'text/html').end('<title>sign in</title>');
  } else {
    handle(req, res);
  }
}).listen(Number(port), '127.0.0.1');
