import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe } from 'node:test';
import { startApp } from '../app.mjs';
import { Visitor } from '../browser.mjs';
import { signIn, walk } from '../walk.mjs';

const alice = ['alice', 'wonderland'];

// enter signs alice in.
async function enter(page) {
  await page.goto('/profile');
  await signIn(page, ...alice);
  await page.waitForURL('**/profile');
}

const isHere = async (visitor) => (await visitor.fetch('/api/me')).status === 200;
const rows = (page) => page.locator('ul.sessions > li');

// post is a form that a script of the app's origin sends.
const post = (visitor, path, form = '') => visitor.fetch(path, {
  method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: form,
});

for (const fresh of ['false', 'true']) {
  describe(`where somebody is signed in, and a fresh login is ${fresh === 'true' ? 'demanded' : 'not demanded'} of who comes back`, () => {
    let app;
    // Each walk has an app of its own, in which nobody was signed in before.
    beforeEach(async () => { app = await startApp({ SESSION_FRESH_AFTER_REVOKE: fresh }); });
    afterEach(() => app?.stop());

    // walkWithTwo has two browsers, both signed in as alice.
    const walkWithTwo = (name, body, options) => walk(name, () => app, async (here) => {
      const there = await Visitor.arrive(app, { userAgent: 'a phone', ...options });
      try {
        await enter(there.page);
        await enter(here.page);
        await body(here, there);
      } finally {
        assert.deepEqual(await there.leave(), []);
      }
    }, options);

    walkWithTwo('the list names both, and one ends the other', async (here, there) => {
      assert.equal(await rows(here.page).count(), 2);
      await here.scan('the list of sessions');
      const phone = rows(here.page).filter({ hasText: 'a phone' });
      await phone.getByRole('button').click();
      await here.page.waitForURL('**/profile');
      assert.equal(await rows(here.page).count(), 1);
      assert.equal(await isHere(there), false);
      assert.equal(await isHere(here), true);
    });

    walkWithTwo('all others end at one click', async (here, there) => {
      await here.page.getByRole('button', { name: 'Sign out on other devices' }).click();
      await here.page.waitForURL('**/profile');
      assert.equal(await rows(here.page).count(), 1);
      assert.equal(await isHere(there), false);
      assert.equal(await isHere(here), true);
    });

    walkWithTwo('scripts see the same list, and end one, the others or all', async (here, there) => {
      const list = (await here.fetch('/api/sessions')).json;
      assert.deepEqual(list.map((s) => [s.current, s.address, s.bound]), [[true, null, false], [false, null, false]]);
      assert.equal(list[1].user_agent, 'a phone');
      assert.equal((await post(here, '/api/sessions/end', `id=${list[1].id}`)).status, 204);
      assert.equal((await post(here, '/api/sessions/end', `id=${list[1].id}`)).status, 404);
      assert.equal(await isHere(there), false);
      await there.page.goto('/profile'); // by single sign-on
      assert.equal(await isHere(there), true);
      assert.equal((await post(here, '/api/sessions/end-others')).status, 204);
      assert.equal(await isHere(there), false);
      assert.equal((await post(here, '/api/sessions/end-all')).status, 204);
      assert.equal(await isHere(here), false);
      assert.ok(!(await here.context.cookies()).some((cookie) => cookie.name === '__Host-session'));
      for (const visitor of [here, there]) {
        await visitor.page.goto('/profile');
        assert.equal(visitor.path() === '/profile', fresh === 'false');
      }
    });

    walkWithTwo('all of it works without JavaScript', async (here, there) => {
      await rows(here.page).filter({ hasText: 'a phone' }).getByRole('button').click();
      await here.page.waitForURL('**/profile');
      assert.equal(await rows(here.page).count(), 1);
      await there.page.goto('/profile');
      assert.equal(await rows(there.page).count(), 2);
      await there.page.getByRole('button', { name: 'Sign out everywhere' }).click();
      await here.page.goto('/');
      await here.page.getByRole('link', { name: 'Sign in' }).first().waitFor();
    }, { javaScriptEnabled: false });
  });
}
