import crypto from 'node:crypto';
import { errors } from 'oidc-provider';
import { exchangeGrant } from './exchange.mjs';
import { confirmLogout, failed, signedOut } from './pages.mjs';

// The people who can sign in, by login name; the password is the name.
export const defaultAccounts = {
  alice: { name: 'Alice Example', email: 'alice@example.com', email_verified: true, roles: ['user'] },
  ada: { name: 'Ada Admin', email: 'ada@example.com', email_verified: true, roles: ['user', 'admin'] },
};

// configuration turns options, which are plain JSON, into oidc-provider's
// configuration. Every option may be left out:
//
//	clients           client metadata as RFC 7591 names it; without grant_types, every grant that the client can use
//	accounts          {login: claims} instead of Alice and Ada
//	ttl               lifetimes in seconds, by oidc-provider's names: {"AccessToken": 5}
//	rotate            a new refresh token at every refresh, the reuse of an old one ends the family [true]
//	refreshAlways     a refresh token without offline_access too [false]
//	resources         {uri: {scope, audience, accessTokenFormat, accessTokenTTL}} of RFC 8707
//	defaultResource   the resource of logins that name none
//	exchange          the grant of RFC 8693 for these resources [false]
//	dpopNonces        proofs need a nonce of this server [false]
//	claimsInIDToken   scopes' claims in the ID token too, not only at userinfo [false]
//	features          merged over oidc-provider's features, one level deep
//	extra             any other configuration that is JSON, over everything else
export function configuration(options, tls) {
  const { rotate = true, refreshAlways = false, claimsInIDToken = false } = options;
  return {
    clients: (options.clients ?? []).map((client) => ({ grant_types: grantTypes(client, options), ...client })),
    ttl: { ...lifetimes, ...options.ttl },
    findAccount: findAccount(options.accounts ?? defaultAccounts),
    claims: { openid: ['sub'], profile: ['name', 'roles'], email: ['email', 'email_verified'], acr: null, sid: null, auth_time: null, iss: null },
    clientAuthMethods: tls ? [...authMethods, 'tls_client_auth', 'self_signed_tls_client_auth'] : authMethods,
    conformIdTokenClaims: !claimsInIDToken,
    cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
    acrValues: ['urn:example:silver', 'urn:example:gold'],
    rotateRefreshToken: () => rotate,
    issueRefreshToken: async (_ctx, client, code) => client.grantTypeAllowed('refresh_token')
      && (refreshAlways || code.scopes.has('offline_access')),
    expiresWithSession: async () => false,
    loadExistingGrant,
    pkce: { required: () => true },
    fetch: (url, init) => {
      // The built-in dispatcher refuses loopback, where every client under test lives.
      const { dispatcher, ...rest } = init;
      return fetch(url, rest);
    },
    renderError: failed,
    features: features(options, tls),
    ...options.extra,
  };
}

const authMethods = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'];

const lifetimes = {
  AccessToken: 600,
  AuthorizationCode: 60,
  ClientCredentials: 600,
  Grant: 3600,
  IdToken: 600,
  Interaction: 600,
  RefreshToken: 3600,
  Session: 3600,
};

function grantTypes(client, options) {
  const grants = ['authorization_code', 'refresh_token'];
  if (client.token_endpoint_auth_method !== 'none') grants.push('client_credentials');
  if (options.exchange) grants.push(exchangeGrant);
  return grants;
}

function features(options, tls) {
  const merged = {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => Boolean(options.dpopNonces) },
    encryption: { enabled: true },
    introspection: { enabled: true },
    jwtResponseModes: { enabled: true },
    jwtUserinfo: { enabled: true },
    mTLS: tls ? mutualTLS : { enabled: false },
    requestObjects: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_ctx, _client, oneOf) => oneOf ?? options.defaultResource,
      useGrantedResource: async () => true,
      getResourceServerInfo: resourceServer(options.resources ?? {}),
    },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource: confirmLogout, postLogoutSuccessSource: signedOut },
  };
  for (const [name, feature] of Object.entries(options.features ?? {})) {
    merged[name] = { ...merged[name], ...feature };
  }
  return merged;
}

function findAccount(known) {
  return async (_ctx, sub) => (Object.hasOwn(known, sub)
    ? { accountId: sub, claims: async () => ({ sub, ...known[sub] }) }
    : undefined);
}

// loadExistingGrant grants what is asked for, so that nobody is asked; a client
// that wants a person's consent sends prompt=consent.
async function loadExistingGrant(ctx) {
  const { client, provider, requestParamOIDCScopes, resourceServers, result, session } = ctx.oidc;
  const id = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  const grant = (id && await provider.Grant.find(id))
    || new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.addOIDCScope([...requestParamOIDCScopes].join(' '));
  for (const [resource, { scopes }] of Object.entries(resourceServers ?? {})) {
    grant.addResourceScope(resource, [...ctx.oidc.requestParamScopes].filter((scope) => scopes.has(scope)).join(' '));
  }
  await grant.save();
  return grant;
}

function resourceServer(resources) {
  return async (_ctx, indicator) => {
    if (!Object.hasOwn(resources, indicator)) throw new errors.InvalidTarget();
    return { audience: indicator, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } }, ...resources[indicator] };
  };
}

const mutualTLS = {
  enabled: true,
  certificateBoundAccessTokens: true,
  selfSignedTlsClientAuth: true,
  tlsClientAuth: true,
  getCertificate(ctx) {
    const { raw } = ctx.socket.getPeerCertificate();
    return raw ? new crypto.X509Certificate(raw).toString() : undefined;
  },
  certificateAuthorized: (ctx) => ctx.socket.authorized,
  certificateSubjectMatches(ctx, property, expected) {
    const certificate = new crypto.X509Certificate(ctx.socket.getPeerCertificate().raw);
    if (property === 'tls_client_auth_subject_dn') {
      return certificate.subject.split('\n').reverse().join(',') === expected;
    }
    const kinds = { tls_client_auth_san_dns: 'DNS', tls_client_auth_san_email: 'email', tls_client_auth_san_ip: 'IP Address', tls_client_auth_san_uri: 'URI' };
    return (certificate.subjectAltName ?? '').split(', ').includes(`${kinds[property]}:${expected}`);
  },
};

// newSigningKeys returns one private JWK for each family of algorithms.
export function newSigningKeys() {
  return [
    crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
    crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    crypto.generateKeyPairSync('ed25519'),
  ].map(({ privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: crypto.randomUUID() }));
}
