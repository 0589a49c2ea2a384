import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe } from 'node:test';
import { startTenants } from '../app.mjs';
import { Visitor } from '../browser.mjs';
import { Keyboard } from '../keyboard.mjs';
import { answerTo, walk } from '../walk.mjs';

// holdUp has the next request to a URL wait until goOn is called: also one that
// a redirect leads to, which page.route does not see.
const holdUp = async (page, urlPattern) => {
  const devtools = await page.context().newCDPSession(page);
  const paused = new Promise((resolve) => { devtools.once('Fetch.requestPaused', resolve); });
  await devtools.send('Fetch.enable', { patterns: [{ urlPattern }] });
  return { paused, goOn: async () => devtools.send('Fetch.continueRequest', { requestId: (await paused).requestId }) };
};

describe('a service whose customers each bring a provider', () => {
  let app;
  beforeEach(async () => { app = await startTenants(); });
  afterEach(() => app?.stop());
  const walkHere = (name, body, options) => walk(name, () => app, body, options);

  // beside gives body the visitor and others, each with a browser of their own,
  // in which nothing untoward may happen either.
  const beside = (count, body) => async (visitor) => {
    const others = await Promise.all(Array.from({ length: count }, () => Visitor.arrive(app)));
    try {
      await body(visitor, ...others);
    } finally {
      const left = await Promise.all(others.map((other) => other.leave()));
      visitor.problems.push(...left.flat());
    }
  };

  const signedInAs = (page, name, at) => page.getByText(`Signed in as ${name} at ${at}`).waitFor();

  // choose goes from a page that a guard keeps to the one where people choose.
  const choose = async (page, label) => {
    await page.goto('/account');
    await page.getByRole('heading', { name: 'Choose where to sign in' }).waitFor();
    await page.getByRole('link', { name: label }).click();
    await page.waitForURL('**/account');
  };

  const typeEmail = async (page, email) => {
    await page.goto('/account');
    await page.getByLabel('Your work email').fill(email);
    await page.getByRole('button', { name: 'Continue' }).click();
  };

  // administer brings one of the staff to the administrator's page.
  const administer = async (page) => {
    await page.goto('/admin');
    await page.getByRole('heading', { name: 'Providers' }).waitFor();
    await signedInAs(page, 'Sam Stafford', 'staff');
  };

  const add = async (page, fields) => {
    for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByRole('button', { name: 'Add' }).click();
  };

  const dune = () => ({
    Name: 'dune', 'Label on the sign-in page': 'Dune', 'Domain of email addresses': 'dune.example',
    Issuer: `${app.demo}/dune`, 'Client ID': 'service', 'Client secret': 'for-development-only',
  });

  const remove = async (page, label, how) => {
    const row = page.getByRole('listitem').filter({ has: page.getByText(`Remove ${label}`, { exact: true }) });
    await row.getByText(`Remove ${label}`, { exact: true }).click();
    await row.getByRole('button', { name: how }).click();
    await page.getByRole('status').waitFor();
  };

  walkHere('people choose, come back to the provider of last time, and are found by their email', beside(1, async ({ page }, bo) => {
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    await page.getByRole('link', { name: 'Staff of this service' }).waitFor();
    assert.doesNotMatch(await page.content(), /bolt/i, 'who is not offered is told to nobody');
    await page.getByRole('link', { name: 'Acme' }).click();
    await page.waitForURL('**/account');
    await signedInAs(page, 'Ann Acker', 'Acme');

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('**/auth/acme/signed-out**');
    await page.goto('/');
    await page.getByRole('link', { name: 'Sign in', exact: true }).click();
    const first = page.getByRole('list').getByRole('link').first();
    assert.match(await first.innerText(), /^Acme\s+Last used$/);
    await page.goto('/account'); // who has signed out is asked here, too
    await first.click();
    await signedInAs(page, 'Ann Acker', 'Acme');
    await page.context().clearCookies({ name: '__Host-session' });
    await page.goto('/account'); // whose session is over otherwise is not
    await signedInAs(page, 'Ann Acker', 'Acme');

    await typeEmail(bo.page, 'bo@nobody.example');
    await bo.page.getByRole('alert').waitFor();
    await typeEmail(bo.page, 'bo@Bolt.example');
    await signedInAs(bo.page, 'Bo Boltz', 'bolt');
    await bo.page.getByRole('link', { name: 'Sign in elsewhere' }).click();
    await bo.page.getByRole('link', { name: 'Acme' }).click();
    await signedInAs(bo.page, 'Ann Acker', 'Acme');
  }));

  walkHere('providers come and go while people are signed in', beside(3, async ({ page }, bo, sam, di) => {
    await choose(page, 'Acme');
    await typeEmail(bo.page, 'bo@bolt.example');
    await signedInAs(bo.page, 'Bo Boltz', 'bolt');

    await administer(sam.page);
    await add(sam.page, dune());
    await sam.page.getByText('Added.').waitFor();
    await choose(di.page, 'Dune');
    await signedInAs(di.page, 'Di Dunham', 'Dune');

    await remove(sam.page, 'bolt', 'Sign them out');
    await bo.page.goto('/account');
    await bo.page.getByRole('heading', { name: 'Choose where to sign in' }).waitFor();
    await typeEmail(bo.page, 'bo@bolt.example');
    await bo.page.getByRole('alert').waitFor();

    await remove(sam.page, 'Dune', 'Let sessions run out');
    await di.page.reload();
    await signedInAs(di.page, 'Di Dunham', 'Dune');
    await di.page.getByRole('button', { name: 'Sign out' }).click();
    await di.page.getByRole('heading', { name: "You're signed out" }).waitFor();
    await di.page.goto('/account');
    await di.page.getByRole('link', { name: 'Acme' }).waitFor();
    assert.equal(await di.page.getByRole('link', { name: 'Dune' }).count(), 0);

    await page.reload();
    await signedInAs(page, 'Ann Acker', 'Acme');
  }));

  walkHere('a callback whose provider was removed meanwhile leads to another', beside(1, async (visitor, sam) => {
    const { page } = visitor;
    await administer(sam.page);
    const callback = await holdUp(page, '*/auth/bolt/callback*');
    await page.goto('/account');
    await page.getByLabel('Your work email').fill('bo@bolt.example');
    const answer = answerTo(page, '/auth/bolt/callback', () => page.getByRole('button', { name: 'Continue' }).click({ noWaitAfter: true }));
    await callback.paused;
    await remove(sam.page, 'bolt', 'Sign them out');
    await callback.goOn();
    assert.equal((await answer).status(), 404);
    await page.getByRole('heading', { name: "This sign-in service isn't available here" }).waitFor();
    await visitor.look('tenants-removed');
    await page.getByRole('link', { name: 'Use another sign-in service' }).click();
    await page.getByRole('link', { name: 'Acme' }).click();
    await page.waitForURL('**/account');
    await signedInAs(page, 'Ann Acker', 'Acme');
  }));

  walkHere('a provider that is down leads to another, and nobody is sent there unasked', beside(1, async (visitor, sam) => {
    const { page } = visitor;
    await administer(sam.page);
    await add(sam.page, { ...dune(), Issuer: `${app.demo}/nowhere` });
    await page.goto('/account');
    const answer = await answerTo(page, '/auth/dune/login', () => page.getByRole('link', { name: 'Dune' }).click());
    assert.equal(answer.status(), 503);
    await page.getByRole('heading', { name: "We can't reach the sign-in service" }).waitFor();
    await visitor.look('tenants-down');
    await page.getByRole('link', { name: 'Use another sign-in service' }).click();
    await page.getByRole('link', { name: 'Acme' }).click();
    await page.waitForURL('**/account');
    await signedInAs(page, 'Ann Acker', 'Acme');
  }));

  walkHere("only the service's own administrators get in, and no other site's form", async (visitor) => {
    const { page } = visitor;
    await choose(page, 'Acme'); // where she is an administrator, too
    assert.equal((await visitor.fetch('/admin')).status, 401);
    await administer(page);
    const evil = await visitor.open(`${app.demo}/`); // another site
    await evil.evaluate((target) => {
      document.body.innerHTML = `<form method="post" action="${target}"><input name="name" value="acme"><input name="sessions" value="end"></form>`;
    }, `${app.url}/admin/remove`);
    const answer = await answerTo(evil, '/admin/remove', () => evil.evaluate(() => document.forms[0].submit()));
    assert.equal(answer.status(), 403);
    await page.reload();
    await page.getByText('Remove Acme', { exact: true }).waitFor();
  });

  walkHere('a mistake in the form is said, and loses nothing but the secret', async (visitor) => {
    const { page } = visitor;
    await administer(page);
    await add(page, { ...dune(), Issuer: 'https://169.254.169.254/latest' });
    await page.getByRole('alert').getByText('no public address').waitFor();
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'dune');
    assert.equal(await page.getByLabel('Client secret').inputValue(), '');
    await visitor.look('tenants-admin-mistake');
    await add(page, dune());
    await page.getByRole('status').waitFor();
  });

  walkHere('the keyboard is enough to choose, to add and to remove', async ({ page }) => {
    const keys = new Keyboard(page);
    await page.goto('/account');
    await keys.follow('Acme', '**/account');
    await signedInAs(page, 'Ann Acker', 'Acme');
    await keys.follow('Sign in elsewhere', '**/auth/login**');
    await keys.reach('Your work email');
    await page.keyboard.type('bo@bolt.example');
    await page.keyboard.press('Enter');
    await signedInAs(page, 'Bo Boltz', 'bolt');

    await administer(page);
    for (const [label, value] of Object.entries(dune())) {
      await keys.reach(label);
      await page.keyboard.type(value);
    }
    await keys.submit('Add', 'Space');
    await page.getByText('Added.').waitFor();
    await keys.press('Remove Dune', 'Enter');
    await keys.submit('Sign them out', 'Enter');
    await page.getByText('Removed.').waitFor();
    assert.equal(await page.getByText('Remove Dune').count(), 0);
  });

  walkHere('every page of the service reads well, in light and in dark', async (visitor) => {
    const { page } = visitor;
    await page.goto('/');
    await visitor.look('tenants-home-signed-out');
    await page.goto('/auth/login?return_to=/account');
    await visitor.look('tenants-choose');
    await page.getByLabel('Your work email').fill('ann@nobody.example');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('alert').waitFor();
    await visitor.look('tenants-choose-unknown');
    await administer(page);
    await page.getByText('Remove bolt').click();
    await visitor.look('tenants-admin');
    await page.goto('/account');
    await visitor.look('tenants-account');
    await page.goto('/auth/login?return_to=/account');
    await visitor.look('tenants-choose-again');
  });

  walkHere('nothing of the service is cut off on a small phone, enlarged, or with large text', async (visitor) => {
    const { page } = visitor;
    const everywhere = ['/', '/auth/login?return_to=/account', '/auth/gone/login', '/account', '/admin'];
    await administer(page);
    // 360 px wide; a window of 1280 by 1024 pixels at 200 % and at 400 %.
    for (const viewport of [{ width: 360, height: 740 }, { width: 640, height: 512 }, { width: 320, height: 256 }]) {
      await page.setViewportSize(viewport);
      for (const path of everywhere) {
        await page.goto(path);
        await visitor.scan(`${path} in ${viewport.width} px`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    for (const path of everywhere) {
      await page.goto(path);
      await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
      await visitor.scan(`${path} with large text`);
    }
  });
});
