import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { startApp } from '../app.mjs';
import { Keyboard } from '../keyboard.mjs';
import { signIn, walk } from '../walk.mjs';

const alice = ['alice', 'wonderland'];

describe('for every kind of person', () => {
  let app;
  before(async () => { app = await startApp(); });
  after(() => app?.stop());
  const walkHere = (name, body, options) => walk(name, () => app, body, options);

  walkHere('the keyboard is enough for everything, and the focus is always seen', async ({ page }) => {
    const keys = new Keyboard(page);
    await page.goto('/');
    await keys.signIn('Sign in', ...alice);
    await page.waitForURL(`${app.url}/`);

    await keys.follow('Profile', '**/profile');
    await keys.submit('Refresh now', 'Space');
    assert.equal(new URL(page.url()).pathname, '/profile');
    await keys.follow('API calls', '**/api-calls');
    await keys.submit('Call as Alice Adams', 'Enter');
    await page.getByRole('heading', { name: /The API answered 200/ }).waitFor();
    await keys.submit('Call as the application', 'Space');
    await page.getByText('client credentials').waitFor();
    await keys.follow('Step-up', '**/stepup');
    await keys.follow('Admin', '**/admin');

    await keys.follow('Profile', '**/profile');
    await keys.submit('Sign out everywhere', 'Space');
    await page.goto('/');
    await keys.signIn('Sign in', ...alice);
    await page.waitForURL(`${app.url}/`);
    await keys.submit('Sign out', 'Enter');
    await page.waitForURL((url) => url.origin !== app.url || url.pathname === '/auth/signed-out');
  });

  walkHere('the first Tab offers to skip the navigation, and Enter does', async ({ page }) => {
    const keys = new Keyboard(page);
    await page.goto('/');
    const link = await keys.tab();
    assert.equal(link.name, 'Skip to content');
    assert.ok(link.top >= 0, 'the link is out of sight');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'main');
    const next = await keys.tab();
    assert.ok(next.inMain, `Tab leads back to "${next.name}"`);
  });

  walkHere('at 200 % and at 400 % nothing is cut off or scrolls sideways', async (visitor) => {
    const { page } = visitor;
    await page.goto('/profile');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile');
    // A window of 1280 by 1024 pixels holds so many CSS pixels when it is enlarged (WCAG 2.2, 1.4.10).
    for (const viewport of [{ width: 640, height: 512 }, { width: 320, height: 256 }]) {
      await page.setViewportSize(viewport);
      for (const path of ['/', '/profile', '/api-calls?as=user', '/stepup', '/errors', '/auth/logout', '/no-such-page']) {
        await page.goto(path);
        await visitor.scan(`${path} in ${viewport.width} px`);
      }
    }
  });

  walkHere('text alone can be twice as large', async (visitor) => {
    const { page } = visitor;
    await page.goto('/profile');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile');
    for (const path of ['/', '/profile', '/api-calls?as=user', '/stepup', '/errors', '/auth/logout']) {
      await page.goto(path);
      await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
      await visitor.scan(`${path} with large text`);
    }
  });

  walkHere('nothing moves for who wants no motion', async ({ page }) => {
    for (const path of ['/', '/errors', '/auth/logout', '/no-such-page']) {
      await page.goto(path);
      const moving = await page.evaluate(() => [...document.querySelectorAll('*')].filter((element) => {
        const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(element);
        return transitionDuration !== '0s' || animationName !== 'none' || scrollBehavior === 'smooth';
      }).map((element) => element.outerHTML.slice(0, 80)));
      assert.deepEqual(moving, [], path);
    }
  }, { reducedMotion: 'reduce' });

  walkHere('the countdowns of the profile run, and end', async ({ page }) => {
    await page.goto('/profile');
    await signIn(page, ...alice);
    await page.waitForURL('**/profile');
    await page.clock.install();
    await page.goto('/profile');
    const times = page.locator('time[data-countdown]');
    assert.equal(await times.count(), 2);
    const before = await times.first().textContent();
    await page.clock.runFor(61_000);
    const after = await times.first().textContent();
    assert.match(before, /^\d+ (h|min|s)/);
    assert.notEqual(after, before);
    await page.clock.runFor(24 * 3_600_000);
    assert.deepEqual(await times.allTextContents(), ['Expired', 'Expired']);
  });

  walkHere('every error of the gallery reads well', async (visitor) => {
    const { page } = visitor;
    await page.goto('/errors');
    await visitor.look('gallery');
    const links = await page.locator('main .rows a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    assert.ok(links.length > 15, `only ${links.length} errors`);
    for (const path of links) {
      const answer = await page.goto(path);
      assert.ok(answer.status() >= 400, `${path}: ${answer.status()}`);
      await page.getByText('Reference').first().waitFor();
      await visitor.scan(path);
    }
  });
});
