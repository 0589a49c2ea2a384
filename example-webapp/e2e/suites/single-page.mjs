import assert from 'node:assert/strict';
import http from 'node:http';
import { after, afterEach, before, describe } from 'node:test';
import { startApp } from '../app.mjs';
import { signIn, walk } from '../walk.mjs';

const alice = ['alice', 'wonderland'];

// startAPI serves an API that answers as answer() does, until it is changed.
async function startAPI() {
  const api = { answer: ok, asked: [], streams: 0 };
  const server = http.createServer((request, response) => {
    api.asked.push(request);
    api.answer(request, response, api);
  });
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  api.url = `http://127.0.0.1:${server.address().port}`;
  api.stop = () => { server.closeAllConnections(); server.close(); };
  return api;
}

const ok = (_, response) => response.end('the API says yes');

// stale asks for a fresher login until another token comes than the first.
const stale = (first) => (request, response) => {
  first ??= request.headers.authorization;
  if (request.headers.authorization !== first) return ok(request, response);
  response.writeHead(401, { 'www-authenticate': 'Bearer error="insufficient_user_authentication", max_age="1"' });
  return response.end();
};

// hostile says and sets whatever it should not.
const hostile = (request, response) => {
  const kinds = { '/page': 'text/html', '/picture.svg': 'image/svg+xml', '/worker.js': 'text/javascript' };
  response.writeHead(200, {
    'content-type': kinds[request.url] ?? 'text/plain', 'set-cookie': '__Host-session=evil; Path=/; Secure', 'clear-site-data': '"cookies"',
    'service-worker-allowed': '/', 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=3600', refresh: '0; url=https://evil.test/',
  });
  response.end('<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="evil"</script></svg>');
};

// counting sends a number each 100 ms, for ever.
const counting = (_, response, api) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  api.streams++;
  const timer = setInterval(() => response.write(`data: ${Date.now()}\n\n`), 100);
  response.on('close', () => { clearInterval(timer); api.streams--; });
};

async function until(condition) {
  for (let i = 0; i < 100; i++) {
    if (await condition()) return;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  throw new Error(`not within 10 s: ${condition}`);
}

// enter signs alice in at the page.
async function enter(page) {
  await page.goto('/single-page');
  await signIn(page, ...alice);
  await page.waitForURL('**/single-page');
}

const call = (page) => page.getByRole('button', { name: 'Call the API' }).click();
const says = (page, id, text) => page.locator(`#${id}`).filter({ hasText: text }).waitFor();

describe('a single page and its API', () => {
  let app;
  let api;
  before(async () => {
    api = await startAPI();
    app = await startApp({ API_URL: api.url });
  });
  after(async () => { await app?.stop(); api?.stop(); });
  afterEach(() => { api.answer = ok; api.asked = []; });
  const walkHere = (name, body, options) => walk(name, () => app, body, options);

  walkHere('calls it without a token of its own', async (visitor) => {
    const { page } = visitor;
    await enter(page);
    await call(page);
    await says(page, 'answer', 'the API says yes');
    assert.match(api.asked[0].headers.authorization, /^Bearer ey/);
    assert.equal(api.asked[0].headers.cookie, undefined);
    await says(page, 'session', /You will be signed out in \d+ min \d+ s/);
    await visitor.look('single-page');
  });

  walkHere('is sent to the very step-up that the API asks for, and comes back', async ({ page }) => {
    await enter(page);
    await page.waitForTimeout(2100); // the login is older than the API wants
    api.answer = stale();
    await call(page);
    await signIn(page, ...alice); // again, since max_age demands it
    await page.waitForURL('**/single-page');
    await call(page);
    await says(page, 'answer', 'the API says yes');
  });

  walkHere('goes where no API sends it', async ({ page }) => {
    await enter(page);
    for (const url of ['https://evil.test/', "javascript:document.title='evil'", '//evil.test/auth/login', '/auth/../evil', '/evil']) {
      api.answer = (_, response) => {
        response.writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Bearer error="insufficient_scope"' });
        response.end(JSON.stringify({ error: 'login_required', login_url: url }));
      };
      await call(page);
      await says(page, 'answer', url);
      assert.equal(new URL(page.url()).pathname, '/single-page');
      assert.notEqual(await page.title(), 'evil');
    }
  });

  walkHere('sees a sign-out in another tab, and its next call leads to a login', async (visitor) => {
    const { page } = visitor;
    await enter(page);
    const other = await visitor.open('/profile');
    await other.getByRole('banner').getByRole('button', { name: 'Sign out' }).click();
    await other.waitForURL('**/auth/signed-out**');
    await says(page, 'session', 'You were signed out.');
    await call(page);
    await signIn(page, ...alice);
    await page.waitForURL('**/single-page');
    await call(page);
    await says(page, 'answer', 'the API says yes');
  });

  walkHere('is not taken over by what an API says', async (visitor) => {
    const { page } = visitor;
    await enter(page);
    api.answer = hostile;
    const answer = await visitor.fetch('/proxy/picture.svg');
    assert.equal(answer.status, 200);
    for (const name of ['clear-site-data', 'service-worker-allowed', 'access-control-allow-origin', 'refresh']) {
      assert.equal(answer.headers[name], undefined, name);
    }
    assert.equal(answer.headers['cache-control'], 'private, no-store');
    const tab = await visitor.open();
    for (const path of ['/proxy/page', '/proxy/picture.svg']) {
      assert.equal((await tab.goto(path)).status(), 403);
    }
    const registered = await page.evaluate(() => navigator.serviceWorker.register('/proxy/worker.js').then(() => true, () => false));
    assert.equal(registered, false);
    await until(() => visitor.problems.length > 0);
    assert.match(visitor.problems.pop(), /bad HTTP response code \(403\)/); // the browser says so
    assert.equal((await visitor.fetch('/api/me')).json.name, 'Alice Adams');
    assert.equal(api.asked.length, 1);
  });

  walkHere('gets events that end with the session', async (visitor) => {
    const { page } = visitor;
    await enter(page);
    api.answer = counting;
    await page.evaluate(() => {
      window.events = new EventSource('/proxy/events');
      window.received = 0;
      window.events.onmessage = () => { window.received++; };
    });
    await until(() => page.evaluate(() => window.received > 3));
    const other = await visitor.open('/profile');
    await other.getByRole('banner').getByRole('button', { name: 'Sign out' }).click();
    await other.waitForURL('**/auth/signed-out**');
    await until(() => page.evaluate(() => window.events.readyState === EventSource.CLOSED));
    await until(() => api.streams === 0);
  });
});

describe('a page that is left alone', () => {
  let app;
  before(async () => { app = await startApp({ SESSION_IDLE: '8s' }); });
  after(() => app?.stop());

  walk('says when it will be signed out, and does not prevent it', () => app, async ({ page }) => {
    await enter(page);
    await says(page, 'session', /You will be signed out in 0 min [1-8] s/);
    const began = Date.now();
    await says(page, 'session', 'You were signed out.');
    assert.ok(Date.now() - began < 10_000);
  });
});
