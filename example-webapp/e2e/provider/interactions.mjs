import { consentPage, failed, loginPage } from './pages.mjs';

// interactions serves the pages between the authorization request and its
// answer: the login form, for the people that accounts names, and the consent
// that offline_access needs.
export function interactions(provider, accounts) {
  const path = /^\/interaction\/([\w-]+)(?:\/(login|consent|cancel))?$/;

  const show = async (req, res, wrong) => {
    const { uid, prompt, params } = await provider.interactionDetails(req, res);
    const action = `/interaction/${uid}`;
    res.setHeader('content-type', 'text/html; charset=utf-8');
    res.setHeader('cache-control', 'no-store');
    res.end(prompt.name === 'login'
      ? loginPage(action, params.login_hint ?? '', wrong)
      : consentPage(action, params.client_id, params.scope));
  };

  const answers = {
    async login(req, res) {
      const form = await readForm(req);
      const { params } = await provider.interactionDetails(req, res);
      const name = form.get('login') ?? '';
      if (!Object.hasOwn(accounts, name) || form.get('password') !== name) return show(req, res, true);
      const acr = params.acr_values?.split(' ')[0];
      return provider.interactionFinished(req, res, { login: { accountId: name, acr, amr: ['pwd'], remember: true } });
    },
    async consent(req, res) {
      return provider.interactionFinished(req, res, { consent: { grantId: await grantAll(req, res) } });
    },
    async cancel(req, res) {
      return provider.interactionFinished(req, res, {
        error: 'access_denied', error_description: 'the person declined',
      }, { mergeWithLastSubmission: false });
    },
  };

  // grantAll grants whatever the client asked for, and returns the grant's id.
  const grantAll = async (req, res) => {
    const { grantId, params, session, prompt: { details } } = await provider.interactionDetails(req, res);
    const grant = (grantId && await provider.Grant.find(grantId))
      || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    if (details.missingOIDCScope) grant.addOIDCScope(details.missingOIDCScope.join(' '));
    if (details.missingOIDCClaims) grant.addOIDCClaims(details.missingOIDCClaims);
    for (const [resource, scopes] of Object.entries(details.missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, scopes.join(' '));
    }
    return grant.save();
  };

  return {
    route(req) {
      const match = path.exec(req.url);
      if (!match) return undefined;
      const handler = req.method === 'POST' ? answers[match[2]] : show;
      return (_req, res) => Promise.resolve(handler?.(req, res)).catch((err) => {
        const ctx = {};
        failed(ctx, { error: err.error ?? err.name, error_description: err.error_description ?? err.message });
        res.writeHead(400, { 'content-type': 'text/html; charset=utf-8' }).end(ctx.body);
      });
    },
  };
}

async function readForm(req) {
  let body = '';
  for await (const chunk of req.setEncoding('utf8')) {
    body += chunk;
    if (body.length > 10_000) throw new Error('form too large');
  }
  return new URLSearchParams(body);
}
