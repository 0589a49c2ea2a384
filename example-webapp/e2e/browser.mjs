import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

export const screenshots = path.join(path.dirname(fileURLToPath(import.meta.url)), 'out', 'screenshots');

// The windows in which pages are looked at, in light and in dark. One of 1280 by 800 pixels holds
// half as many CSS pixels when it is enlarged to 200 %.
const windows = {
  phone: { width: 360, height: 740 },
  desktop: { width: 1280, height: 800 },
  enlarged: { width: 640, height: 400 },
};

// A page that the app does not have, for scripts of the app's origin.
const blank = {
  path: 'a-blank-page-of-the-tests',
  answer: {
    contentType: 'text/html',
    headers: {
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    },
    body: '<title>blank</title>',
  },
};

let browser;

// launch starts the one browser of a run, the first Chromium in PATH or the
// one that CHROMIUM names.
async function launch() {
  browser ??= start({ rules: ['MAP * ~NOTFOUND', 'EXCLUDE localhost', 'EXCLUDE 127.0.0.1'] });
  return browser;
}

// start starts a Chromium that knows no hosts but those of rules.
export function start({ rules, args = [], ...options }) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? find(['chromium', 'chromium-browser', 'google-chrome']),
    args: [
      '--no-sandbox', // root has no user namespaces in a container; only our own pages are opened
      `--host-resolver-rules=${rules.join(', ')}`,
      ...args,
    ],
    ...options,
  });
}

export async function closeBrowser() {
  await (await browser)?.close();
}

function find(names) {
  for (const name of names) {
    for (const folder of process.env.PATH.split(path.delimiter)) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return file;
    }
  }
  throw new Error(`no browser: install one of ${names.join(', ')}, or set CHROMIUM`);
}

// Visitor is one person's browser: a context of its own that writes down
// whatever must not happen at the app's origin or anywhere.
export class Visitor {
  problems = [];

  // hosts are those that the visitor may go to.
  hosts = ['localhost', '127.0.0.1'];

  static async arrive(app, { browser: own, hosts = [], ...options } = {}) {
    const visitor = new Visitor();
    visitor.app = app;
    visitor.hosts.push(...hosts);
    visitor.context = await (await (own ?? launch())).newContext({ baseURL: app.url, ...options });
    visitor.context.setDefaultTimeout(15_000);
    visitor.#watch();
    visitor.page = await visitor.open();
    return visitor;
  }

  // open opens a tab, at a path of the app when one is given.
  async open(target) {
    const page = await this.context.newPage();
    if (target) await page.goto(target);
    return page;
  }

  // path is where a tab is now, if it is at the app.
  path(page = this.page) {
    return page.url().startsWith(`${this.app.url}/`) ? page.url().slice(this.app.url.length) : page.url();
  }

  #watch() {
    this.context.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol.startsWith('http') && !this.hosts.includes(hostname)) {
        this.problems.push(`request to another host: ${request.url()}`);
      }
    });
    this.context.on('response', (response) => this.#check(response));
    this.context.on('console', (message) => {
      if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
      this.problems.push(`console: ${message.text()} (${message.page()?.url()})`);
    });
    this.context.on('weberror', (err) => this.problems.push(`script error: ${err.error()}`));
  }

  // #check holds what every answer of the app has to say about itself.
  #check(response) {
    if (!response.url().startsWith(`${this.app.url}/`)) return;
    const headers = response.headers();
    const where = new URL(response.url()).pathname;
    if (headers['x-content-type-options'] !== 'nosniff') this.problems.push(`${where}: no nosniff`);
    if (!(headers['content-type'] ?? '').startsWith('text/html') && response.status() < 400) return;
    const policy = headers['content-security-policy'] ?? '';
    if (policy === "sandbox; default-src 'none'") return; // an API's answer, which is no page of the app's
    for (const part of ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]) {
      if (!policy.includes(part)) this.problems.push(`${where}: the policy "${policy}" lacks ${part}`);
    }
    if (/unsafe|\*/.test(policy)) this.problems.push(`${where}: the policy "${policy}" is open`);
    if (response.status() >= 400 && !/no-store/.test(headers['cache-control'])) this.problems.push(`${where}: an error that may be stored`);
  }

  // fetch calls fetch() as a script of the app's origin would.
  async fetch(target, init) {
    const [answer] = await this.fetchAll([target], init);
    return answer;
  }

  // fetchAll does so for several targets at once. The app's own pages allow no
  // scripts to connect, so the scripts run on an empty page put there for them.
  async fetchAll(targets, init = {}) {
    const page = await this.context.newPage();
    await page.route(`${this.app.url}/${blank.path}`, (route) => route.fulfill(blank.answer));
    await page.goto(`${this.app.url}/${blank.path}`);
    const answers = await page.evaluate(([urls, options]) => Promise.all(urls.map(async (url) => {
      const response = await fetch(url, options);
      const { status, redirected, headers } = response;
      return { status, redirected, headers: Object.fromEntries(headers), text: await response.text() };
    })), [targets, init]);
    await page.close();
    for (const answer of answers) {
      try { answer.json = JSON.parse(answer.text); } catch { /* not JSON */ }
    }
    return answers;
  }

  // look scans the page for accessibility and takes its picture, on a phone, on
  // a desktop and at 200 %, in light and in dark.
  async look(name, page = this.page) {
    for (const [device, viewport] of Object.entries(windows)) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        // Colours change gradually: pictures and contrast are of the result.
        await page.evaluate(() => document.getAnimations().forEach((animation) => animation.finish()));
        await page.screenshot({ path: path.join(screenshots, `${name}-${device}-${colorScheme}.png`), fullPage: true });
        await this.scan(`${name} (${device}, ${colorScheme})`, page);
      }
    }
  }

  // scan looks for what keeps people out of the page, as it is shown now.
  async scan(name, page = this.page) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run(document, { preload: false }));
    for (const { id, help, nodes } of violations) {
      this.problems.push(`${name}: ${id}: ${help}: ${nodes.map((node) => node.html).join(' | ')}`);
    }
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (overflow > 0) this.problems.push(`${name}: ${overflow} px wider than the screen`);
  }

  async leave() {
    await this.context.close();
    return this.problems;
  }
}
