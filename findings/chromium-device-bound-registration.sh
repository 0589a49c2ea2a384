#!/bin/sh
# Chromium 156.0.8078 (Debian), Device Bound Session Credentials with keys in software.
#
# Guesses, made beforehand: (1) a registration that the 303 of a sign-in's callback asks for carries the session cookie that the 303
# sets: it says Sec-Fetch-Site: same-origin. (2) allowed_refresh_initiators takes origins, as the Origin header has them. (3) A bound
# cookie with a Max-Age of a minute is renewed once a minute.
# Seen: (1) it is made in the place of the navigation that asked, which the identity provider began: no SameSite=Lax cookie comes with
# it, only SameSite=None. Its answer may set Lax cookies all the same, and they are kept. (2) An origin is taken for no host, without a
# word: it is a host, or a pattern. (3) What ends within two minutes is renewed beside each request, also the cookie that was renewed a
# moment ago, until the quota of renewals is spent: a life below two minutes is worse than none.
#
# Output:
#   registration: site same-origin, cookies none
#   kept from its answer: bound lax
#   renewals before a link from the provider: as origin 0, as host 1
#   renewals of 3 pages: life 60 s more than 3, life 600 s 0
#
# Run by hand; needs Debian's chromium, libnss3-tools and openssl, Node 20 and npm. Exits non-zero when that has changed.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export HOME="$dir"
mkdir -p .pki/nssdb
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -addext basicConstraints=critical,CA:TRUE \
	-addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=app.example.test -keyout leaf.key -out leaf.csr 2>/dev/null
echo 'subjectAltName=DNS:app.example.test,DNS:id.other.test' >leaf.ext
openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext -out leaf.pem 2>/dev/null
certutil -d "sql:$dir/.pki/nssdb" -N --empty-password
certutil -d "sql:$dir/.pki/nssdb" -A -t C,, -n authority -i ca.pem
npm install --silent --no-audit --no-fund playwright-core@1.65.1 >npm.log 2>&1
cat >finding.mjs <<'JS'
import fs from 'node:fs';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const lax = 'Path=/; Secure; HttpOnly; SameSite=Lax';
let life, initiators, port, requests;

const server = https.createServer({ key: fs.readFileSync('leaf.key'), cert: fs.readFileSync('leaf.pem') }, (request, response) => {
  const host = request.headers.host.split(':')[0];
  const app = `https://app.example.test:${port}`;
  if (host !== 'app.example.test') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<a id=in href="${app}/callback">in</a><a id=link href="${app}/page">link</a>`);
    return;
  }
  requests.push({ path: request.url, site: request.headers['sec-fetch-site'], cookies: (request.headers.cookie ?? '').split('; ').map((c) => c.split('=')[0]) });
  const bind = (more = []) => {
    response.writeHead(200, { 'content-type': 'application/json', 'set-cookie': [`__Host-bound=x; ${lax}; Max-Age=${life}`, ...more] }).end(JSON.stringify({
      session_identifier: 'id', refresh_url: '/refresh', allowed_refresh_initiators: initiators,
      scope: { origin: app, include_site: false, scope_specification: [] },
      credentials: [{ type: 'cookie', name: '__Host-bound', attributes: lax }],
    }));
  };
  switch (request.url) {
    case '/callback':
      response.writeHead(303, {
        location: '/page', 'set-cookie': `__Host-session=x; ${lax}`,
        'secure-session-registration': '(ES256 RS256);path="/start";challenge="c"',
      }).end();
      return;
    case '/start': bind([`__Host-lax=x; ${lax}`]); return;
    case '/refresh':
      if (request.headers['secure-session-response']) bind();
      else response.writeHead(403, { 'secure-session-challenge': '"c";id="id"' }).end();
      return;
    default: response.writeHead(200, { 'content-type': 'text/html' }).end('page');
  }
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
port = server.address().port;
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--host-resolver-rules=MAP *.test 127.0.0.1',
    '--enable-features=DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting'],
});

// visit signs in from the provider, and returns the page and its context.
async function visit(seconds, ...allowed) {
  [life, initiators, requests] = [seconds, allowed, []];
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`https://id.other.test:${port}/`);
  await page.click('#in');
  for (let i = 0; i < 100 && !(await context.cookies()).some((c) => c.name === '__Host-bound'); i++) await sleep(50);
  return { context, page };
}

const renewals = () => requests.filter((r) => r.path === '/refresh').length;

async function linked(...allowed) {
  const { context, page } = await visit(600, ...allowed);
  await page.goto(`https://id.other.test:${port}/`);
  await sleep(500); // what the page before still fetches
  await context.clearCookies({ name: '__Host-bound' });
  requests.length = 0;
  await page.click('#link');
  await page.waitForURL('**/page');
  const first = requests.findIndex((r) => r.path === '/page');
  return requests.slice(0, first).some((r) => r.path === '/refresh') ? 1 : 0;
}

async function pages(seconds) {
  const { page } = await visit(seconds);
  requests.length = 0;
  for (let i = 0; i < 3; i++) {
    await page.goto(`https://app.example.test:${port}/page`);
    await sleep(300);
  }
  return renewals();
}

const { context } = await visit(600);
const start = requests.find((r) => r.path === '/start');
const lines = [
  `registration: site ${start.site}, cookies ${start.cookies.filter(Boolean).join(' ') || 'none'}`,
  `kept from its answer: ${(await context.cookies()).map((c) => c.name.replace('__Host-', '')).filter((n) => n !== 'session').sort().join(' ')}`,
  `renewals before a link from the provider: as origin ${await linked(`https://id.other.test:${port}`, 'https://id.other.test')}, as host ${await linked('id.other.test')}`,
];
const short = await pages(60);
lines.push(`renewals of 3 pages: life 60 s ${short > 3 ? 'more than 3' : short}, life 600 s ${await pages(600)}`);
console.log(lines.join('\n'));
await browser.close();
server.closeAllConnections();
server.close();
process.exitCode = lines.join('\n') === [
  'registration: site same-origin, cookies none',
  'kept from its answer: bound lax',
  'renewals before a link from the provider: as origin 0, as host 1',
  'renewals of 3 pages: life 60 s more than 3, life 600 s 0',
].join('\n') ? 0 : 1;
JS
node finding.mjs
