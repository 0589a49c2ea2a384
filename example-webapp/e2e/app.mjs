import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run, stop } from './processes.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

// Where programs are built from, as seen from the example web app.
const sources = { 'example-webapp': '.', tenants: '../examples/tenants' };

// The key of sessions in tests, so that restarts keep them.
const sessionKey = Buffer.from('a session key for tests, 32 byte').toString('base64');

const built = new Map();

// build compiles a program once, and resolves with its path.
function build(name) {
  if (!built.has(name)) built.set(name, compile(name, path.join(here, 'out', name)));
  return built.get(name);
}

async function compile(name, binary) {
  const go = run('go', ['build', '-o', binary, sources[name]], { cwd: path.dirname(here) });
  const [code] = await go.exited;
  if (code !== 0) throw new Error(`go build failed:\n${go.output}`);
  return binary;
}

// startApp builds and starts the app with env over the defaults, waits until
// it is live, and resolves with {url, output(), stop()}.
export async function startApp(env = {}, { host = 'localhost', port } = {}) {
  const binary = await build('example-webapp');
  port ??= await freePort();
  const url = `http://${host}:${port}`;
  return start(binary, url, '/healthz', { ADDR: `127.0.0.1:${port}`, BASE_URL: url, ...env });
}

// startTenants builds and starts the example of many providers, with a
// directory of its own, and resolves as startApp does; its providers are at demo.
export async function startTenants() {
  const binary = await build('tenants');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tenants-'));
  const [app, demo] = [`localhost:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const env = { LISTEN: app, DEMO_LISTEN: demo, TENANTS: path.join(folder, 'tenants.json') };
  const running = await start(binary, `http://${app}`, '/', env);
  const end = async () => {
    await running.stop();
    await rm(folder, { recursive: true });
  };
  return { ...running, demo: `http://${demo}`, stop: end };
}

// start starts a program and waits until it answers at a path of url.
async function start(binary, url, probe, env) {
  const child = run(binary, [], {
    cwd: here,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, SESSION_KEYS: sessionKey, ...env },
  });
  await live(url + probe, child);
  return { url, output: () => child.output, stop: () => stop(child) };
}

async function live(target, child) {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) break;
    const answer = await fetch(target).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(50);
  }
  await stop(child);
  throw new Error(`the app did not become live; it wrote:\n${child.output}`);
}

// freePort returns a port that nothing listens on, just now.
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
