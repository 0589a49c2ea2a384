import { setTimeout as sleep } from 'node:timers/promises';

// Control is how a test looks into the provider and breaks it:
//
//	GET    /control/requests           {"requests":[{route, method, status, grant_type, sub, at, error, port, auth, dpop}], "counts":{"token:refresh_token":1, …}}
//	DELETE /control/requests           the same, and forgets them
//	PUT    /control/faults             replaces the list of faults, [] heals: see fault below
//	GET    /control/faults             the list, each with its hits: how many requests have met it
//	POST   /control/rotate-keys        new signing keys; {"keep":true} goes on publishing the old ones, {"keep":1} those before
//	POST   /control/disable            {"sub"}: the person can't sign in any more, nor have tokens
//	POST   /control/backchannel-logout {"client_id","sub","sid"}: sends a logout token, 200 or 502 by the client's answer
//
// A fault is {path, status, headers, body, delay, hold, drop, times}: requests to path ("*" is every
// one) wait delay milliseconds, or with hold until the list is replaced, then get
// status with body. With drop "before" the connection ends without an answer; with
// drop "after" the request is carried out and its answer lost. It holds for so many
// times, else for ever.
//
// In a request, sub is whose tokens were asked for, or whose refresh token was refused, and at is when the answer was
// made, in milliseconds.
export class Control {
  requests = [];
  faults = [];
  #release = () => {};
  #released = Promise.resolve();

  // recorder is koa middleware: it writes down what oidc-provider made of a request.
  recorder() {
    return async (ctx, next) => {
      try {
        await next();
      } finally {
        const { route, params, body, entities } = ctx.oidc ?? {};
        this.requests.push({
          route: route ?? ctx.path,
          method: ctx.method,
          status: ctx.status,
          grant_type: params?.grant_type ?? body?.grant_type,
          sub: entities?.Account?.accountId ?? entities?.RefreshToken?.accountId,
          at: Date.now(),
          error: ctx.body?.error,
          port: ctx.req.socket.clientPort,
          auth: authentication(ctx, body ?? {}),
          dpop: Boolean(ctx.get('dpop')),
        });
      }
    };
  }

  route(req) {
    const handler = this.#routes[`${req.method} ${req.url}`];
    return handler && ((_req, res) => this.#answer(req, res, handler));
  }

  #routes = {
    'GET /control/requests': () => ({ requests: this.requests, counts: this.#counts() }),
    'DELETE /control/requests': () => {
      const { requests } = this;
      this.requests = [];
      return { requests };
    },
    'PUT /control/faults': (body) => this.#setFaults(body),
    'GET /control/faults': () => this.faults,
    'POST /control/rotate-keys': (body) => this.rotateKeys(body.keep ?? false),
    'POST /control/disable': (body) => { delete this.accounts[body.sub]; },
    'POST /control/backchannel-logout': async (body) => {
      const client = await this.provider.Client.find(body.client_id);
      await client.backchannelLogout(body.sub, body.sid);
    },
  };

  async #answer(req, res, handler) {
    let status = 200;
    let answer;
    try {
      answer = await handler(await readJSON(req));
    } catch (err) {
      status = 502;
      answer = { error: err.message };
    }
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
  }

  #setFaults(faults) {
    this.#release();
    this.faults = faults.map((fault) => ({ hits: 0, ...fault }));
    this.#released = new Promise((resolve) => { this.#release = resolve; });
  }

  #counts() {
    const counts = {};
    for (const { route, grant_type: grant } of this.requests) {
      const name = grant ? `${route}:${grant}` : route;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }

  // faulty applies the first fault for the request, or goes on with serve.
  async faulty(req, res, serve) {
    const { pathname } = new URL(req.url, 'http://localhost');
    const fault = this.faults.find((f) => (f.path === '*' || f.path === pathname) && f.times !== 0);
    if (!fault) return serve();
    if (fault.times) fault.times -= 1;
    fault.hits += 1;
    if (fault.hold) await this.#released;
    if (fault.delay) await sleep(fault.delay);
    if (fault.drop === 'before') return req.socket.destroy();
    if (fault.drop === 'after') {
      res.end = () => res.socket?.destroy();
      return serve();
    }
    if (!fault.status) return serve();
    this.requests.push({ route: pathname, method: req.method, status: fault.status, fault: true });
    return res.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers }).end(fault.body ?? '');
  }
}

function authentication(ctx, body) {
  if (ctx.get('authorization')) return ctx.get('authorization').split(' ')[0];
  if (body.client_assertion) return 'client_assertion';
  if (body.client_secret) return 'client_secret_post';
  return undefined;
}

async function readJSON(req) {
  let body = '';
  for await (const chunk of req.setEncoding('utf8')) body += chunk;
  return body ? JSON.parse(body) : {};
}
