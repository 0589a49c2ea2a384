import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Visitor } from './browser.mjs';

// walk is a test with a browser of its own, in which nothing untoward may
// happen: no request to another host, no violation of the policy, no error in a
// script, no answer without its headers.
export function walk(name, app, body, options) {
  test(name, { timeout: 90_000 }, async () => {
    const visitor = await Visitor.arrive(app(), typeof options === 'function' ? options() : options);
    try {
      await body(visitor);
    } catch (err) {
      const tabs = visitor.context.pages().map((page) => page.url());
      err.message += `\n\nTabs: ${tabs.join(', ')}\nProblems: ${visitor.problems.join('\n')}\nThe app wrote:\n${app().output().slice(-4000)}`;
      await visitor.leave();
      throw err;
    }
    assert.deepEqual(await visitor.leave(), []);
  });
}

// signIn fills in the login form that the tab shows, at either provider. The
// password is the name, as at both providers.
export async function signIn(page, name, password = name) {
  await page.locator('input:not([type=password]):not([type=hidden]):not([type=submit])').first().fill(name);
  await page.locator('input[type=password]').fill(password);
  await page.locator('input[type=password]').press('Enter');
}

// signOut goes through the app's confirmation page, and through the provider's
// when it asks too.
export async function signOut(page) {
  await page.goto('/auth/logout');
  const app = new URL(page.url()).origin;
  await page.getByRole('button', { name: /sign out/i }).last().click();
  await page.waitForURL((url) => url.pathname === '/auth/signed-out' || url.origin !== app);
  if (new URL(page.url()).origin !== app) {
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  }
  await page.waitForURL('**/auth/signed-out**');
}

// answerTo does something in a tab and returns the answer to the request for
// path that it leads to.
export async function answerTo(page, path, act) {
  const answer = page.waitForResponse((response) => new URL(response.url()).pathname === path);
  await Promise.all([answer, act()]);
  return answer;
}
