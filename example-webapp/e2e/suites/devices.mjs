import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startApp } from '../app.mjs';
import { Authority, serveTLS } from '../authority.mjs';
import { start, Visitor } from '../browser.mjs';
import { signIn, signOut, walk } from '../walk.mjs';

const alice = ['alice', 'wonderland'];
const bound = '__Host-session-bound';
const mail = 'mail.example.test'; // another site, whose pages link to the app
const registration = '/auth/device/start';
const refresh = '/auth/device/refresh';

// A Front is the app behind https, and what the browser sent to it.
class Front {
  requests = [];
  answerRefresh = undefined; // a status in place of the app's answer

  static async open(authority, env = {}) {
    const front = new Front();
    const port = await freePort();
    front.server = await serveTLS(authority.certify('localhost', mail), port, (request, response) => front.#answer(request, response));
    front.url = `https://localhost:${front.server.address().port}`;
    front.mail = front.url.replace('localhost', mail);
    front.app = await startApp({ BASE_URL: front.url, SESSION_DEVICE_BOUND: 'on', ...env }, { port });
    return front;
  }

  output() { return this.app.output(); }

  async stop() {
    await this.app.stop();
    this.server.closeAllConnections();
    this.server.close();
  }

  // sent are the requests for a path, as [status, names of cookies, skipped].
  sent(path) { return this.requests.filter((request) => request.path === path); }

  #answer(request, response) {
    const { pathname: path } = new URL(request.url, this.url);
    const { cookie = '', 'secure-session-skipped': skipped } = request.headers;
    const entry = { method: request.method, path, skipped, cookies: cookie.split('; ').map((pair) => pair.split('=')[0]) };
    if (request.headers.host.startsWith(mail)) {
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<title>mail</title><a href="${this.url}/profile?tab=keys">your profile</a>`);
      return true;
    }
    this.requests.push(entry);
    response.on('finish', () => { entry.status = response.statusCode; });
    if (path !== refresh || !this.answerRefresh) return false;
    response.writeHead(this.answerRefresh).end();
    return true;
  }
}

describe('sessions bound to the device', () => {
  let authority;
  let browser;
  let front;
  before(async () => {
    authority = new Authority();
    // HOME is where Chromium looks for the authority; keys in software are for tests.
    browser = await start({
      env: { ...process.env, HOME: authority.home },
      rules: [`MAP ${mail} 127.0.0.1`, 'MAP * ~NOTFOUND', 'EXCLUDE localhost', 'EXCLUDE 127.0.0.1'],
      args: ['--enable-features=DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting'],
    });
    front = await Front.open(authority);
  });
  after(async () => {
    await front?.stop();
    await browser?.close();
    authority?.remove();
  });

  const walkBound = (name, body, at = () => front) => walk(name, at, async (visitor) => {
    at().requests.length = 0;
    at().answerRefresh = undefined;
    await enter(visitor);
    await body(visitor, at());
  }, () => ({ browser, hosts: [mail] }));

  // enter signs in, and waits until the browser has bound its session.
  async function enter(visitor) {
    await visitor.page.goto('/profile');
    await signIn(visitor.page, ...alice);
    await visitor.page.waitForURL('**/profile');
    await until(async () => (await cookie(visitor, bound)) !== undefined, 'the browser binds its session');
  }

  async function cookie(visitor, name) {
    return (await visitor.context.cookies()).find((c) => c.name === name);
  }

  // end lets the bound cookie end.
  const end = (visitor) => visitor.context.clearCookies({ name: bound });

  async function until(done, what) {
    for (const deadline = Date.now() + 15_000; Date.now() < deadline; await sleep(50)) {
      if (await done()) return;
    }
    assert.fail(`it does not come about: ${what}`);
  }

  // steal returns somebody else's browser with these cookies of the visitor's.
  async function steal(visitor, ...names) {
    const thief = await Visitor.arrive(visitor.app, { browser, hosts: [mail] });
    await thief.context.addCookies((await visitor.context.cookies()).filter((c) => names.includes(c.name)).map((c) => ({ ...c, expires: -1 })));
    return thief;
  }

  walkBound('a login is bound, though the registration comes without the session cookie, and the cookie is renewed', async (visitor) => {
    const [first] = front.sent(registration);
    assert.equal(first.status, 200);
    assert.ok(!first.cookies.includes('__Host-session'));
    await visitor.page.goto('/profile');
    assert.equal(front.sent(refresh).length, 0);
    await end(visitor);
    await visitor.page.goto('/profile');
    await visitor.page.getByText('alice@example.com').first().waitFor();
    assert.deepEqual(front.sent(refresh).map((r) => r.status), [403, 200]);
  });

  walkBound('several tabs wait for one renewal', async (visitor) => {
    const tabs = await Promise.all([1, 2, 3, 4].map(() => visitor.open()));
    await end(visitor);
    await Promise.all(tabs.map((tab) => tab.goto('/profile')));
    for (const tab of tabs) await tab.getByText('alice@example.com').first().waitFor();
    assert.equal(front.sent(refresh).filter((r) => r.status === 200).length, 1);
  });

  walkBound('a session cookie that was copied to another browser is nobody there, and nobody is signed out', async (visitor) => {
    const thief = await steal(visitor, '__Host-session');
    assert.deepEqual((await thief.fetch('/api/me')).json, { error: 'device_proof_required' });
    await thief.page.goto('/profile');
    await thief.page.locator('input[type=password]').waitFor(); // it loads itself again, twice, and then a login is due
    assert.equal(front.sent(refresh).length, 0);
    assert.deepEqual(await thief.leave(), []);
    await visitor.page.goto('/profile');
    await visitor.page.getByText('alice@example.com').first().waitFor();
  });

  walkBound('a link from another site signs nobody out', async (visitor) => {
    await visitor.page.waitForLoadState('networkidle'); // what the page still fetches would renew the cookie
    await visitor.page.goto(front.mail);
    await end(visitor);
    front.requests.length = 0;
    await visitor.page.getByRole('link').click();
    await visitor.page.getByText('alice@example.com').first().waitFor();
    assert.equal(visitor.path(), '/profile?tab=keys');
    assert.deepEqual(front.requests.filter((r) => [refresh, '/profile'].includes(r.path)).map((r) => `${r.path} ${r.status}`),
      ['/profile 200', `${refresh} 403`, `${refresh} 200`, '/profile 200']);
  });

  walkBound('an outage of the renewal is said, and ends nothing', async (visitor) => {
    await end(visitor);
    front.answerRefresh = 503;
    const answer = await visitor.page.goto('/profile');
    assert.equal(answer.status(), 503);
    assert.ok(answer.headers()['retry-after']);
    assert.match(front.sent('/profile').at(-1).skipped, /^server_error;/);
    await visitor.look('device-unavailable');
    front.answerRefresh = undefined;
    await visitor.page.getByRole('link', { name: 'Try again' }).click();
    await visitor.page.getByText('alice@example.com').first().waitFor();
  });

  walkBound('a logout ends the binding, and the next login is bound anew', async (visitor) => {
    await signOut(visitor.page);
    assert.equal(await cookie(visitor, bound), undefined);
    await visitor.page.goto('/');
    assert.deepEqual(front.sent(refresh).map((r) => r.status), [403], 'without a challenge');
    assert.equal(await cookie(visitor, bound), undefined);
    await visitor.page.goto('/');
    assert.equal(front.sent(refresh).length, 1, 'the browser has forgotten it');
    await enter(visitor);
    // The callback and the first page both ask for a registration; one of them comes too late.
    assert.equal(front.sent(registration).filter((r) => r.status === 200).length, 2);
    await end(visitor);
    await visitor.page.goto('/profile');
    await visitor.page.getByText('alice@example.com').first().waitFor();
  });

  walkBound('a step-up is bound anew', async (visitor) => {
    const before = front.sent(registration).length;
    await visitor.page.goto('/auth/login?return_to=/profile');
    await until(() => front.sent(registration).slice(before).some((r) => r.status === 200), 'the new session is bound');
    await end(visitor);
    await visitor.page.goto('/profile');
    await visitor.page.getByText('alice@example.com').first().waitFor();
  });

  describe('whose bound cookies live for ten seconds', () => {
    let short;
    before(async () => { short = await Front.open(authority, { SESSION_BOUND_LIFE: '10s' }); });
    after(() => short?.stop());

    walkBound('both cookies, copied to another browser, stop working a minute after that', async (visitor) => {
      const thief = await steal(visitor, '__Host-session', bound);
      assert.equal((await thief.fetch('/api/me')).status, 200);
      await sleep(72_000);
      assert.deepEqual((await thief.fetch('/api/me')).json, { error: 'device_proof_required' });
      assert.deepEqual(await thief.leave(), []);
    }, () => short);
  });
});
