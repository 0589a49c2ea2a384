import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run, stop } from './processes.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const binary = path.join(here, 'out', 'example-webapp');

// The key of sessions in tests, so that restarts keep them.
const sessionKey = Buffer.from('a session key for tests, 32 byte').toString('base64');

let built;

// build compiles the example web app once.
function build() {
  built ??= (async () => {
    const go = run('go', ['build', '-o', binary, '.'], { cwd: path.dirname(here) });
    const [code] = await go.exited;
    if (code !== 0) throw new Error(`go build failed:\n${go.output}`);
  })();
  return built;
}

// startApp builds and starts the app with env over the defaults, waits until
// it is live, and resolves with {url, output(), stop()}.
export async function startApp(env = {}, { host = 'localhost', port } = {}) {
  await build();
  port ??= await freePort();
  const url = `http://${host}:${port}`;
  const child = run(binary, [], {
    cwd: here,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ADDR: `127.0.0.1:${port}`,
      BASE_URL: url,
      SESSION_KEYS: sessionKey,
      ...env,
    },
  });
  await live(url, child);
  return { url, output: () => child.output, stop: () => stop(child) };
}

async function live(url, child) {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) break;
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
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
