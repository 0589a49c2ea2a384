#!/usr/bin/env node
// A real OpenID provider on loopback, for tests: npm's oidc-provider, with a
// login form, a control channel and everything else that provider/config.mjs
// describes.
//
//	node provider.mjs '{"clients":[{"client_id":"app",…}]}'
//
// It prints one JSON line, {"issuer":"…","control":"…"}, once it listens, and
// ends when its standard input closes, so that it never outlives its parent.
import { startProvider } from './provider/server.mjs';

let options;
try {
  options = JSON.parse(process.argv[2] ?? process.env.PROVIDER_CONFIG ?? '{}');
} catch (err) {
  console.error(`The configuration must be JSON: ${err.message}`);
  process.exit(2);
}

const provider = await startProvider(options);
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
console.log(JSON.stringify({ issuer: provider.issuer, control: provider.control }));
