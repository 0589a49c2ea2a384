// Takes a picture of every page that people can see into out/screenshots: those of the example, of
// its development provider, and the library's own, on a phone, on a desktop and at 200 %, in light
// and in dark. index.html shows them all, and docs/images/example.png is taken anew. Each page is
// scanned for accessibility on the way, and the program fails when a scan finds something. PAGES is
// a regular expression: the pages to take.
import fs from 'node:fs/promises';
import path from 'node:path';
import { startApp } from './app.mjs';
import { closeBrowser, screenshots, Visitor } from './browser.mjs';
import { run } from './processes.mjs';
import { signIn } from './walk.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const built = path.join(import.meta.dirname, 'out', 'pages'); // the library's, as files

const wanted = new RegExp(process.env.PAGES ?? '');
const problems = [];

// visit lets body go round with a browser of its own.
async function visit(app, body, options) {
  const visitor = await Visitor.arrive(app, options);
  try {
    await body(visitor, async (name, target) => {
      if (target) await visitor.page.goto(target);
      if (wanted.test(name)) await visitor.look(name);
    });
  } finally {
    problems.push(...await visitor.leave());
  }
}

async function enter(page, name, password) {
  await page.goto('/profile');
  await signIn(page, name, password);
  await page.waitForURL('**/profile');
}

async function signedOut({ page }, look) {
  await look('example-home', '/');
  await look('example-not-found', '/no-such-page');
  await look('example-errors', '/errors');
  const errors = await page.locator('main .rows a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
  for (const target of errors) await look(`example-error-${path.basename(target)}`, target);
  await look('example-signed-out', '/auth/signed-out');
  await look('provider-sign-in', '/profile');
  await look('provider-home', new URL(page.url()).origin);
  await page.goto('/profile');
  await signIn(page, 'alice', 'wrong');
  await page.getByRole('alert').waitFor();
  await look('provider-wrong-password');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.waitForURL('**/auth/callback**');
  await look('example-declined');
}

async function alice({ page }, look) {
  await enter(page, 'alice', 'wonderland');
  await page.goto('/');
  for (const [name, target] of Object.entries({
    'home-alice': '/', profile: '/profile', admin: '/admin', stepup: '/stepup', 'api-calls': '/api-calls', 'api-answer': '/api-calls?as=user',
    'single-page': '/single-page', 'not-found-alice': '/no-such-page', 'sign-out': '/auth/logout',
  })) await look(`example-${name}`, target);
  await page.getByRole('button', { name: 'Sign out' }).last().click();
  await page.waitForURL((url) => url.pathname !== '/auth/logout');
  if (!page.url().includes('/auth/signed-out')) await look('provider-sign-out');
}

async function bob({ page }, look) {
  await enter(page, 'bob', 'builder');
  await look('example-forbidden', '/admin');
}

// headers are what every page has to have.
const headers = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
};

// library shows the library's pages, each alone as it comes, and those that the example leaves to it
// in the example's look.
async function library(visitor, look) {
  const { page } = visitor;
  const styles = { library: 'oidcauth/pages/style.css', example: 'example-webapp/static/app.css' };
  const names = (await fs.readdir(built)).map((file) => path.basename(file, '.html'));
  for (const [whose, style] of Object.entries(styles)) {
    await page.route('**/auth/style.css', (route) => route.fulfill({ path: path.join(root, style), headers }));
    for (const name of names) {
      if (whose === 'example' && name.startsWith('problem-')) continue; // it has a page of its own
      await page.route(`**/sample/${name}`, (route) => route.fulfill({
        path: path.join(built, `${name}.html`), contentType: 'text/html', headers,
      }));
      await look(`${whose === 'library' ? 'library' : 'library-in-example'}-${name}`, `/sample/${name}`);
    }
    await page.unrouteAll();
  }
}

// forReadme takes the picture of the README.
async function forReadme({ page }) {
  await enter(page, 'alice', 'wonderland');
  await page.screenshot({ path: path.join(root, 'docs/images/example.png') });
}

// writeIndex puts all pictures onto one page, a row for each page.
async function writeIndex() {
  const names = [...new Set((await fs.readdir(screenshots)).filter((file) => file.endsWith('.png')).map((file) => file.replace(/-(phone|desktop|enlarged)-(light|dark)\.png$/, '')))].sort();
  const rows = names.map((name) => `<h2>${name}</h2><div>${['phone', 'enlarged', 'desktop'].flatMap((device) => ['light', 'dark'].map((scheme) => {
    const file = `${name}-${device}-${scheme}.png`;
    return `<a href="${file}"><img src="${file}" alt="${device}, ${scheme}" loading="lazy"></a>`;
  })).join('')}</div>`);
  await fs.writeFile(path.join(screenshots, 'index.html'), `<!doctype html><meta charset="utf-8"><title>Pages</title>
<style>body{font:16px system-ui;margin:1rem}div{display:flex;gap:8px;align-items:start;overflow-x:auto}img{height:420px;object-fit:cover;object-position:top;border:1px solid #999}</style>
${rows.join('\n')}`);
  console.log(`${names.length} pages: ${path.join(screenshots, 'index.html')}`);
}

async function writePages() {
  await fs.rm(built, { recursive: true, force: true });
  await fs.mkdir(built, { recursive: true });
  const go = run('go', ['test', './oidcauth', '-count=1', '-run', '^TestEveryBuiltInPage'], { cwd: root, env: { ...process.env, SIGNET_PAGES: built } });
  const [code] = await go.exited;
  if (code !== 0) throw new Error(go.output);
}

await fs.rm(screenshots, { recursive: true, force: true });
await writePages();
// Nobody is at these addresses: the app starts anyway, and says so when somebody signs in.
const nobody = {
  OIDC_ISSUER: 'http://127.0.0.1:9/first', OIDC_CLIENT_ID: 'one', OIDC_CLIENT_SECRET: 'secret',
  OIDC2_ISSUER: 'http://127.0.0.1:9/second', OIDC2_CLIENT_ID: 'two', OIDC2_CLIENT_SECRET: 'secret', OIDC2_NAME: 'Partner login',
};
const app = await startApp();
const two = await startApp(nobody);
try {
  await visit(app, signedOut);
  await visit(app, alice);
  await visit(app, bob);
  await visit(app, library);
  await visit(two, async (_, look) => {
    await look('example-choose', '/profile');
    await look('example-provider-down', '/auth/login');
  });
  await visit(app, forReadme, { viewport: { width: 900, height: 620 } });
  await writeIndex();
} finally {
  await Promise.all([app.stop(), two.stop(), closeBrowser()]);
}
if (problems.length > 0) console.error(problems.join('\n'));
process.exit(problems.length > 0 ? 1 : 0);
