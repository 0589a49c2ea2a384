import { spawn } from 'node:child_process';
import { once } from 'node:events';

// Processes that are still there when this one leaves are ended with it.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

// run starts a command and keeps what it writes in child.output.
export function run(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  running.add(child);
  child.output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => { child.output += text; });
  }
  child.exited = once(child, 'exit').finally(() => running.delete(child));
  return child;
}

// stop asks a process to end, and insists after ten seconds.
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const insist = setTimeout(() => child.kill('SIGKILL'), 10_000);
  child.kill('SIGTERM');
  await child.exited;
  clearTimeout(insist);
}
