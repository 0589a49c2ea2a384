import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startApp } from '../app.mjs';
import { answerTo, signIn, signOut, walk } from '../walk.mjs';

// The demo users that the embedded provider's login page lists.
const alice = ['alice', 'wonderland'];
const bob = ['bob', 'builder'];

const atForm = (page) => page.locator('input[type=password]').waitFor();

describe('at the embedded provider', () => {
  let app;
  before(async () => { app = await startApp(); });
  after(() => app?.stop());
  const walkHere = (name, body, options) => walk(name, () => app, body, options);

  walkHere('a person starts at the home page, signs in with the form, and signs out', async (visitor) => {
    const { page } = visitor;
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in' }).first().click();
    await atForm(page);
    await signIn(page, ...alice);
    await page.waitForURL(`${app.url}/`);
    await page.getByText('Alice').first().waitFor();
    await signOut(page);
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in' }).first().waitFor();
    assert.equal((await visitor.fetch('/api/me')).status, 401);
  });

  walkHere('a demo user signs in with one click', async (visitor) => {
    for (const [name, mail, admin] of [['bob', 'bob@example.com', 403], ['alice', 'alice@example.com', 200]]) {
      await visitor.page.goto('/profile?tab=keys');
      await visitor.page.getByRole('button', { name: `Sign in as ${name}` }).click();
      await visitor.page.waitForURL(`${app.url}/profile?tab=keys`);
      await visitor.page.getByText(mail).first().waitFor();
      assert.equal((await visitor.fetch('/api/me')).json.email, mail);
      assert.equal((await visitor.page.goto('/admin')).status(), admin);
      await signOut(visitor.page);
    }
  });

  walkHere('a person comes back to exactly the page that was wanted', async ({ page }) => {
    await page.goto('/profile?tab=keys&name=a%20b%26c&q=%C3%A9');
    await atForm(page);
    await signIn(page, ...alice);
    await page.waitForURL(`${app.url}/profile?tab=keys&name=a%20b%26c&q=%C3%A9`);
    await page.getByText('alice@example.com').first().waitFor();
  });

  walkHere('a wrong password is said at the form, and the right one still works', async (visitor) => {
    const { page } = visitor;
    await page.goto('/profile');
    await signIn(page, 'alice', 'wrong');
    await page.getByRole('alert').waitFor();
    await visitor.look('embedded-wrong-password');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile');
  });

  walkHere('three tabs finish in reverse order, each at its own page', async (visitor) => {
    const tabs = [];
    for (const tab of ['a', 'b', 'c']) {
      const page = await visitor.open(`/profile?tab=${tab}`);
      await atForm(page);
      tabs.push([tab, page]);
    }
    for (const [tab, page] of tabs.reverse()) {
      await signIn(page, ...alice);
      await page.waitForURL(`**/profile?tab=${tab}`);
    }
  });

  walkHere('it works without JavaScript', async (visitor) => {
    const { page } = visitor;
    await page.goto('/profile?tab=keys');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile?tab=keys');
    await page.getByText('alice@example.com').first().waitFor();
    await signOut(page);
  }, { javaScriptEnabled: false });

  walkHere('an administrator gets in, somebody else is told why not', async (visitor) => {
    await visitor.page.goto('/admin');
    await signIn(visitor.page, ...alice);
    await visitor.page.waitForURL('**/admin');
    await visitor.look('admin');
    await signOut(visitor.page);
    await visitor.page.goto('/admin');
    const answer = await answerTo(visitor.page, '/admin', () => signIn(visitor.page, ...bob));
    assert.equal(answer.status(), 403);
    await visitor.page.waitForURL('**/admin');
    await visitor.look('admin-forbidden');
  });

  walkHere('who declines is told so, and can try again', async (visitor) => {
    const { page } = visitor;
    await page.goto('/profile');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.waitForURL('**/auth/callback**');
    await visitor.look('denied');
    await page.getByRole('link', { name: /sign in|try again/i }).last().click();
    await atForm(page);
    await signIn(page, ...alice);
    await page.waitForURL((url) => url.origin === app.url);
    assert.equal((await visitor.fetch('/api/me')).json.name, 'Alice Adams');
  });

  walkHere('a reloaded or repeated callback is refused and keeps the session', async (visitor) => {
    const { page } = visitor;
    const callbacks = [];
    page.on('request', (request) => request.url().includes('/auth/callback') && callbacks.push(request.url()));
    await page.goto('/profile');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile');
    assert.equal(callbacks.length, 1);
    assert.equal((await page.goto(callbacks[0])).status(), 400);
    await visitor.look('callback-repeated');
    assert.equal((await visitor.fetch('/api/me')).status, 200);
  });

  walkHere('after signing out, the back button shows nothing of the user', async (visitor) => {
    const { page } = visitor;
    await page.goto('/profile');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile');
    for (const path of ['/', '/profile', '/api/me']) {
      // Without it a browser may keep the page, whatever this one does.
      assert.match((await page.goto(path)).headers()['cache-control'], /no-store/, path);
    }
    await signOut(page);
    for (let steps = 0; steps < 6; steps++) {
      if (!await page.goBack({ waitUntil: 'load' })) break;
      assert.doesNotMatch(await page.content(), /alice@example\.com/, page.url());
    }
    await page.goto('/profile');
    await atForm(page);
  });

  walkHere('every page reads well on a phone and a desktop, in light and in dark', async (visitor) => {
    const { page } = visitor;
    await page.goto('/');
    await visitor.look('home-signed-out');
    await page.goto('/no-such-page');
    await visitor.look('not-found');
    await page.goto('/profile');
    await atForm(page);
    await visitor.look('embedded-login');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile');
    await visitor.look('profile');
    for (const [name, target] of [['home-signed-in', '/'], ['api-calls', '/api-calls'], ['stepup', '/stepup'], ['logout-confirm', '/auth/logout']]) {
      await page.goto(target);
      assert.equal(visitor.path(), target);
      await visitor.look(name);
    }
    await signOut(page);
    await visitor.look('signed-out');
  });
});
