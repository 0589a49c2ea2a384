#!/bin/sh
# @better-auth/oauth-provider 1.7.5: a web client can't be registered with a redirect URI on this machine, with https neither.
#
# Guess, made beforehand: of a web client http is refused, but for localhost and 127.0.0.1, so that a developer's machine works; the
# refusal's text, "web clients require https redirect URIs on non-loopback hosts", seems to say the same.
# Seen: a web client's redirect URI must be https and must not be loopback: https://localhost and http://127.0.0.1 are refused with the
# very same text. (OpenID Connect Registration §2 forbids localhost to web clients; few providers hold them to it.) As
# application_type native the same address is taken, with a client secret all the same.
#
# Output:
#   web https://app.example.test/cb: taken
#   web http://localhost:8080/cb: invalid_redirect_uri
#   web http://127.0.0.1:8080/cb: invalid_redirect_uri
#   web https://localhost:8443/cb: invalid_redirect_uri
#   native http://127.0.0.1:8080/cb: taken
#
# Run by hand; needs Node.js 20 or newer and the npm registry. Exits non-zero when that has changed.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --legacy-peer-deps better-auth@1.7.25 @better-auth/oauth-provider@1.7.5 >npm.log 2>&1
cat >finding.mjs <<'JS'
import { oauthProvider } from '@better-auth/oauth-provider';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { jwt } from 'better-auth/plugins';

const models = ['user', 'session', 'account', 'verification', 'jwks', 'rateLimit'];
const plugin = oauthProvider({
  loginPage: '/sign-in', consentPage: '/consent', silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
});
const database = Object.fromEntries([...models, ...Object.keys(plugin.schema ?? {})].map((model) => [model, []]));
const auth = betterAuth({
  baseURL: 'http://127.0.0.1:3000', secret: 'Zk3vQ9xTn7Lr2YwHc8Ub5Ms1Dg6Pj4Ae', database: memoryAdapter(database),
  emailAndPassword: { enabled: true }, plugins: [jwt(), plugin],
});
const signedUp = await auth.api.signUpEmail({
  body: { email: 'alice@example.test', password: 'password123', name: 'Alice' }, asResponse: true,
});
const cookie = signedUp.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');

const rows = [];
for (const [type, uri] of [
  ['web', 'https://app.example.test/cb'], ['web', 'http://localhost:8080/cb'], ['web', 'http://127.0.0.1:8080/cb'],
  ['web', 'https://localhost:8443/cb'], ['native', 'http://127.0.0.1:8080/cb'],
]) {
  let result = 'taken';
  try {
    await auth.api.createOAuthClient({
      headers: new Headers({ cookie }), body: { redirect_uris: [uri], application_type: type, token_endpoint_auth_method: 'client_secret_basic' },
    });
  } catch (refused) {
    result = refused.body?.error ?? String(refused);
  }
  rows.push(`${type} ${uri}: ${result}`);
}
console.log(rows.join('\n'));
const expected = ['taken', 'invalid_redirect_uri', 'invalid_redirect_uri', 'invalid_redirect_uri', 'taken'];
process.exit(rows.every((row, i) => row.endsWith(': ' + expected[i])) ? 0 : 1);
JS
node finding.mjs
