import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';
import { configuration, defaultAccounts, newSigningKeys } from './config.mjs';
import { Control } from './control.mjs';
import { registerExchange } from './exchange.mjs';
import { interactions } from './interactions.mjs';
import { memory } from './memory.mjs';

// startProvider listens and resolves with {issuer, control, close}. The
// options are those of config.mjs and:
//
//	host  the host name of the issuer: localhost or 127.0.0.1 [localhost]
//	port  [a free one]
//	path  the issuer's path, such as /tenant [none]
//	tls   {key, cert, ca} in PEM: serves https and asks for client certificates [plain http]
export async function startProvider({ host = 'localhost', port = 0, path = '', tls, ...options } = {}) {
  let handle = (req, res) => res.writeHead(503).end();
  const listener = (req, res) => handle(req, res);
  const server = tls
    ? https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, listener)
    : http.createServer(listener);
  server.on('connection', (socket) => { socket.clientPort = socket.remotePort; }); // which a closed one does not tell
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });

  const origin = `${tls ? 'https' : 'http'}://${host}:${server.address().port}`;
  const issuer = origin + path;
  const control = new Control();
  const adapter = memory();
  const accounts = { ...(options.accounts ?? defaultAccounts) };
  control.accounts = accounts;
  let keys = [];

  // Keys can't be exchanged in a running Provider: a new one takes its place,
  // over the same memory.
  const install = (newKeys) => {
    keys = newKeys;
    const provider = new Provider(issuer, { ...configuration({ ...options, accounts }, Boolean(tls)), adapter, jwks: { keys } });
    if (options.exchange) registerExchange(provider, options.resources ?? {});
    provider.use(control.recorder());
    provider.on('server_error', (_ctx, err) => console.error(err));
    const ask = interactions(provider, accounts);
    const protocol = provider.callback();
    handle = (req, res) => {
      const own = control.route(req) ?? ask.route(req);
      if (own) return own(req, res);
      return control.faulty(req, res, () => {
        // oidc-provider reads the mount path from what a framework stripped.
        req.originalUrl = req.url;
        if (path && req.url.startsWith(`${path}/`)) req.url = req.url.slice(path.length);
        protocol(req, res);
      });
    };
    control.provider = provider;
  };
  control.rotateKeys = (keep) => {
    const fresh = newSigningKeys();
    install([...fresh, ...(keep === true ? keys : keys.slice(0, keep * fresh.length))]);
  };
  install(newSigningKeys());

  return {
    issuer,
    control: `${origin}/control`,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
