import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPair } from '../client.mjs';
import { answerTo, signIn, signOut, walk } from '../walk.mjs';

// suite runs walks at npm's oidc-provider with the app as its client.
function suite(name, options, walks) {
  describe(`at oidc-provider: ${name}`, () => {
    let pair;
    before(async () => { pair = await startPair(options); });
    after(() => pair?.stop());
    walks((title, body, contextOptions) => walk(title, () => pair.app, (visitor) => body(visitor, pair), contextOptions));
  });
}

const atProvider = /\/interaction\//;

for (const mode of ['query', 'form_post']) {
  for (const sameSite of [true, false]) {
    suite(`${mode} from ${sameSite ? 'the same site' : 'another site'}`, { sameSite, env: { OIDC_RESPONSE_MODE: mode } }, (walkHere) => {
      walkHere('a person signs in and is back at the page that was wanted, with its query', async (visitor, { control }) => {
        await control('requests', 'DELETE');
        await visitor.page.goto('/profile?tab=keys&name=a%20b%26c');
        await visitor.page.waitForURL(atProvider);
        await signIn(visitor.page, 'alice');
        await visitor.page.waitForURL('**/profile?tab=keys&name=a%20b%26c');
        await visitor.page.getByText('alice@example.com').first().waitFor();
        const { counts } = await control('requests');
        assert.equal(counts['token:authorization_code'], 1);
      });

      walkHere('three tabs finish in reverse order, each at its own page', async (visitor) => {
        const tabs = [];
        for (const tab of ['a', 'b', 'c']) {
          const page = await visitor.open(`/profile?tab=${tab}`);
          await page.waitForURL(atProvider);
          tabs.push([tab, page]);
        }
        for (const [tab, page] of tabs.reverse()) {
          await signIn(page, 'alice');
          await page.waitForURL(`**/profile?tab=${tab}`);
        }
      });
    });
  }
}

suite('signing in and out', {}, (walkHere) => {
  walkHere('who declines at the provider is told so, and can try again', async (visitor) => {
    await visitor.page.goto('/profile?tab=keys');
    const cancel = visitor.page.getByRole('button', { name: 'Cancel' });
    const answer = await answerTo(visitor.page, '/auth/callback', () => cancel.click());
    assert.equal(answer.status(), 403);
    await visitor.look('denied');
    assert.equal((await visitor.fetch('/api/me')).status, 401);
    await visitor.page.getByRole('main').getByRole('link').first().click();
    await signIn(visitor.page, 'alice');
    await visitor.page.waitForURL((url) => url.href.startsWith(`${visitor.app.url}/`));
    assert.equal((await visitor.fetch('/api/me')).json.sub, 'alice');
  });

  walkHere('a fetch() without a session gets 401 as JSON, no redirect and no cookie', async (visitor, { control }) => {
    await control('requests', 'DELETE');
    for (const route of ['/profile', '/admin', '/api/me']) {
      const answer = await visitor.fetch(route);
      assert.equal(answer.status, 401, route);
      assert.equal(answer.redirected, false, route);
      assert.equal(answer.json.error, 'login_required', route);
      assert.match(answer.json.login_url, /\/auth\/login/, route);
    }
    assert.deepEqual(await visitor.context.cookies(), []);
    assert.deepEqual((await control('requests')).requests, []);
  });

  walkHere('signing out ends the session here and at the provider, and the back button shows nothing', async (visitor) => {
    await visitor.page.goto('/profile');
    await signIn(visitor.page, 'alice');
    await visitor.page.waitForURL('**/profile');
    await signOut(visitor.page);
    assert.equal((await visitor.fetch('/api/me')).status, 401);
    // Back through the sign-out to the profile: it is asked for anew, and the
    // provider, signed out too, shows its form.
    for (let i = 0; i < 4 && !atProvider.test(visitor.page.url()); i++) {
      await visitor.page.goBack({ waitUntil: 'load' });
      assert.doesNotMatch(await visitor.page.content(), /alice@example\.com/);
    }
    await visitor.page.goto('/profile');
    await visitor.page.waitForURL(atProvider);
    await visitor.page.locator('input[type=password]').waitFor();
  });

  walkHere('a callback out of nowhere is refused and changes nothing', async (visitor) => {
    await visitor.page.goto('/profile');
    await signIn(visitor.page, 'alice');
    await visitor.page.waitForURL('**/profile');
    const answer = await visitor.page.goto('/auth/callback?code=stolen&state=another-browsers-state-0123456789abcdef');
    assert.equal(answer.status(), 400);
    await visitor.look('callback-refused');
    assert.equal((await visitor.fetch('/api/me')).json.sub, 'alice');
  });

  walkHere('only who has the role sees the administration', async (visitor) => {
    await visitor.page.goto('/admin');
    const answer = await answerTo(visitor.page, '/admin', () => signIn(visitor.page, 'alice'));
    assert.equal(answer.status(), 403);
    await signOut(visitor.page);
    await visitor.page.goto('/admin');
    await signIn(visitor.page, 'ada');
    await visitor.page.waitForURL('**/admin');
    assert.equal((await visitor.page.reload()).status(), 200);
  });
});

suite('short sessions', { env: { SESSION_LIFETIME: '4s', SESSION_IDLE: '4s' } }, (walkHere) => {
  walkHere('a session that ends in the middle of work asks for a login and returns to the work', async (visitor, { control }) => {
    await visitor.page.goto('/profile?step=1');
    await signIn(visitor.page, 'alice');
    await visitor.page.waitForURL('**/profile?step=1');
    const { json: { session_expires_at: end } } = await visitor.fetch('/api/me');
    assert.ok(Date.parse(end) > Date.now());
    await sleep(Date.parse(end) - Date.now() + 50);

    await control('requests', 'DELETE');
    const answer = await visitor.fetch('/api/me');
    assert.equal(answer.status, 401);
    assert.equal(answer.json.error, 'login_required');
    assert.deepEqual((await control('requests')).requests, []);

    // The provider still knows the person: nobody has to type anything.
    await visitor.page.goto('/profile?step=2');
    await visitor.page.waitForURL('**/profile?step=2');
    assert.equal((await visitor.fetch('/api/me')).json.sub, 'alice');
  });
});

suite('a provider in trouble', { env: { OIDC_TIMEOUT: '2s' } }, (walkHere) => {
  walkHere('a provider that is down shows a page that says so, and heals', async (visitor, { control }) => {
    await control('faults', 'PUT', [{ path: '*', status: 500 }]);
    try {
      const answer = await visitor.page.goto('/profile?tab=keys');
      assert.equal(answer.status(), 503);
      assert.ok(Number(answer.headers()['retry-after']) > 0);
      await visitor.look('provider-down');
      assert.equal((await visitor.page.goto('/')).status(), 200);
    } finally {
      await control('faults', 'PUT', []);
    }
    for (let i = 0; i < 40; i++) {
      await visitor.page.goto('/profile?tab=keys');
      if (atProvider.test(visitor.page.url())) break;
      await sleep(500);
    }
    await signIn(visitor.page, 'alice');
    await visitor.page.waitForURL('**/profile?tab=keys');
  });

  walkHere('a token endpoint that fails ends in a page, and the next login works', async (visitor, { control }) => {
    await control('faults', 'PUT', [{ path: '/token', status: 500, times: 1 }]);
    await visitor.page.goto('/profile');
    const answer = await answerTo(visitor.page, '/auth/callback', () => signIn(visitor.page, 'alice'));
    assert.equal(answer.status(), 502);
    await visitor.look('token-endpoint-fails');
    await visitor.page.goto('/profile');
    await visitor.page.waitForURL('**/profile');
  });
});

const oneToken = { env: { OIDC_PROMPT: 'consent' }, provider: { ttl: { AccessToken: 4 } } };

suite('tokens that live for seconds', oneToken, (walkHere) => {
  walkHere('many requests at the end of a token lead to one refresh, and nobody is signed out', async (visitor, { control }) => {
    await visitor.page.goto('/profile');
    await signIn(visitor.page, 'alice');
    await visitor.page.getByRole('button', { name: 'Allow' }).click();
    await visitor.page.waitForURL('**/profile');
    const { json: { access_token_expires_at: end } } = await visitor.fetch('/api/me');
    assert.ok(Date.parse(end) > Date.now());
    await sleep(Date.parse(end) - Date.now() + 50);

    await control('requests', 'DELETE');
    const answers = await visitor.fetchAll(Array(10).fill('/api/call'));
    assert.deepEqual(answers.map(({ status }) => status), Array(10).fill(200));
    const { counts } = await control('requests');
    assert.equal(counts['token:refresh_token'], 1);
    assert.equal((await visitor.fetch('/api/me')).json.sub, 'alice');
  });
});

suite('a provider that says goodbye', {}, (walkHere) => {
  walkHere('a logout token ends the session in the browser', async (visitor, { control }) => {
    await visitor.page.goto('/profile');
    await signIn(visitor.page, 'alice');
    await visitor.page.waitForURL('**/profile');
    const { json: { sid } } = await visitor.fetch('/api/me');
    await control('backchannel-logout', 'POST', { client_id: 'app', sub: 'alice', sid });
    assert.equal((await visitor.fetch('/api/me')).status, 401);
  });
});

suite('pushed authorization requests', { env: { OIDC_PAR: 'require' }, client: { require_pushed_authorization_requests: true } }, (walkHere) => {
  walkHere('the browser carries nothing but a reference', async (visitor) => {
    const asked = visitor.page.waitForRequest((request) => new URL(request.url()).pathname === '/auth');
    await visitor.page.goto('/profile?tab=keys');
    const { searchParams } = new URL((await asked).url());
    assert.deepEqual([...searchParams.keys()].sort(), ['client_id', 'request_uri']);
    await signIn(visitor.page, 'alice');
    await visitor.page.waitForURL('**/profile?tab=keys');
  });
});
