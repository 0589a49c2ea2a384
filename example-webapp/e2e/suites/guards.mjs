import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe } from 'node:test';
import { freePort, startApp } from '../app.mjs';
import { answerTo, signIn, walk } from '../walk.mjs';

const alice = ['alice', 'wonderland'];
const bob = ['bob', 'builder'];

// A worker that passes everything on, as those of caches and push messages do.
const worker = "self.addEventListener('install', () => self.skipWaiting());\n"
  + "self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim()));\n"
  + "self.addEventListener('fetch', (e) => e.respondWith(fetch(e.request)));\n";

const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'";

// What the front has beside the app: a page of the app's origin, and the worker.
const own = {
  '/front-page': ['text/html', '<title>front</title>'],
  '/front-worker.js': ['text/javascript', worker],
};

// startFront serves own, and everything else from the app.
async function startFront(port, target) {
  const server = http.createServer((request, response) => {
    if (own[request.url]) {
      const [type, body] = own[request.url];
      response.writeHead(200, { 'content-type': type, 'x-content-type-options': 'nosniff', 'content-security-policy': policy, 'service-worker-allowed': '/' });
      response.end(body);
      return;
    }
    const { hostname, port: at } = new URL(target);
    request.pipe(http.request({ hostname, port: at, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    }));
  });
  await new Promise((listening) => { server.listen(port, '127.0.0.1', listening); });
  return server;
}

describe('when the session is over, or a guard says no', () => {
  let app;
  let front;
  before(async () => {
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const behind = await startApp({ BASE_URL: url });
    front = await startFront(port, behind.url);
    app = { ...behind, url };
  });
  after(async () => {
    front?.closeAllConnections();
    front?.close();
    await app?.stop();
  });
  const walkHere = (name, body, options) => walk(name, () => app, body, options);

  const enter = async (page, who, path = '/profile') => {
    await page.goto(path);
    await signIn(page, ...who);
    await page.waitForURL((url) => url.origin === app.url && url.pathname === path);
  };

  walkHere('a form that comes too late gets a page that leads back to it', async ({ page, context }) => {
    await enter(page, alice);
    await context.clearCookies({ name: '__Host-session' });
    const answer = await answerTo(page, '/profile/refresh', () => page.getByRole('button', { name: 'Refresh now' }).click());
    assert.equal(answer.status(), 401);
    assert.match(answer.headers()['content-type'], /^text\/html/);
    await page.locator('main a[href^="/auth/login"]').click();
    await page.waitForURL((url) => url.pathname === '/profile' || url.origin !== app.url);
    if (!page.url().startsWith(app.url)) await signIn(page, ...alice);
    await page.waitForURL(`${app.url}/profile`);
  });

  walkHere('a query comes back as it was, backslashes and all', async ({ page }) => {
    await page.goto('/profile?p=C:\\Users\\a&q=a%2Fb');
    await signIn(page, ...alice);
    await page.waitForURL((url) => url.href === `${app.url}/profile?p=C:\\Users\\a&q=a%2Fb`);
  });

  walkHere('who may not see a page takes another account', async ({ page }) => {
    await enter(page, bob);
    assert.equal((await page.goto('/admin')).status(), 403);
    await page.getByText('Bob Brown', { exact: true }).waitFor();
    await page.locator('a[href*="prompt=select_account"]').click();
    await page.locator('input[type=password]').waitFor();
    await signIn(page, ...alice);
    await page.waitForURL(`${app.url}/admin`);
    await page.getByRole('heading', { name: 'Administration' }).waitFor();
  });

  walkHere('who may not see a page signs out there', async ({ page }) => {
    await enter(page, bob);
    await page.goto('/admin');
    await page.locator('main form[action="/auth/logout"] button').click();
    await page.waitForURL((url) => url.pathname === '/auth/signed-out' || url.origin !== app.url);
    assert.equal((await page.request.get(`${app.url}/api/me`)).status(), 401);
  });

  walkHere('a frame is answered with a page, and starts no login', async (visitor) => {
    const { page } = visitor;
    await page.goto('/front-page');
    const answer = await answerTo(page, '/profile', () => page.evaluate(() => {
      const frame = document.createElement('iframe');
      frame.src = '/profile';
      document.body.append(frame);
    }));
    assert.equal(answer.status(), 401);
    assert.match(answer.headers()['content-type'], /^text\/html/);
    await page.waitForTimeout(200); // until the browser has complained that we are not to be framed
    visitor.problems = visitor.problems.filter((problem) => !/frame-ancestors|X-Frame-Options|Framing/.test(problem));
  });

  walkHere('a page behind a service worker is sent to the provider, and comes back', async ({ page }) => {
    await page.goto('/front-page');
    await page.evaluate(async () => {
      await navigator.serviceWorker.register('/front-worker.js', { scope: '/' });
      await navigator.serviceWorker.ready;
      if (!navigator.serviceWorker.controller) await new Promise((done) => { navigator.serviceWorker.oncontrollerchange = done; });
    });
    await page.goto('/profile?x=1');
    await signIn(page, ...alice);
    await page.waitForURL((url) => url.href === `${app.url}/profile?x=1`);
    await page.getByText('alice@example.com').first().waitFor();
    await page.goto('/auth/logout');
    await page.getByRole('button', { name: /sign out/i }).last().click();
    await page.waitForURL((url) => url.pathname === '/auth/signed-out' || url.origin !== app.url);
    assert.doesNotMatch(await page.content(), /logout_url/);
  });
});
