import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Visitor } from './browser.mjs';

// walk is a test with a browser of its own, in which nothing untoward may
// happen: no request to another host, no violation of the policy, no error in a
// script, no answer without its headers.
export function walk(name, app, body, options) {
  test(name, { timeout: 90_000 }, async () => {
    const visitor = await Visitor.arrive(app(), options);
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

// signIn fills in the login form that the tab shows, at either provider, and
// allows what is asked for. The password is the name, as at both providers.
export async function signIn(page, name, password = name) {
  await page.locator('input[type=password]').fill(password);
  await page.locator('input:not([type=password]):not([type=hidden]):not([type=submit])').first().fill(name);
  await page.locator('input[type=password]').press('Enter');
  const allow = page.getByRole('button', { name: 'Allow' });
  if (await allow.isVisible()) await allow.click();
}

// signOut goes through the app's confirmation page, and through the provider's
// when it shows one.
export async function signOut(page) {
  await page.goto('/auth/logout');
  await page.getByRole('main').getByRole('button', { name: /sign out/i }).click();
  const confirm = page.locator('button[name=logout]');
  if (await confirm.isVisible()) await confirm.click();
  await page.waitForURL('**/auth/signed-out**');
}
