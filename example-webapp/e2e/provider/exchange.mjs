import { calculateJwkThumbprint, decodeProtectedHeader } from 'jose';
import { errors } from 'oidc-provider';

const urn = 'urn:ietf:params:oauth';
export const exchangeGrant = `${urn}:grant-type:token-exchange`;
const accessToken = `${urn}:token-type:access_token`;

// registerExchange teaches provider the token exchange of RFC 8693, which
// oidc-provider leaves to whoever needs it: an access token that it knows is
// exchanged for one for the named audience, which must be among resources. A
// proof binds the new token; its signature was for the key to make, and this
// provider serves tests only.
export function registerExchange(provider, resources) {
  const parameters = ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope'];
  provider.registerGrantType(exchangeGrant, async (ctx) => {
    const { client, params } = ctx.oidc;
    if (params.subject_token_type !== accessToken || (params.requested_token_type ?? accessToken) !== accessToken) {
      throw new errors.InvalidRequest('access tokens are exchanged for access tokens');
    }
    const subject = await provider.AccessToken.find(params.subject_token);
    if (!subject || subject.isExpired) throw new errors.InvalidGrant('the subject token is of no use');
    if (!Object.hasOwn(resources, params.audience)) throw new errors.InvalidTarget();
    const token = new provider.AccessToken({
      accountId: subject.accountId, client, grantId: subject.grantId, gty: 'token_exchange', scope: params.scope ?? 'read',
      sessionUid: subject.sessionUid,
    });
    token.resourceServer = new provider.ResourceServer(params.audience, {
      audience: params.audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } }, ...resources[params.audience],
    });
    const proof = ctx.get('DPoP');
    if (proof) token.setThumbprint('jkt', await calculateJwkThumbprint(decodeProtectedHeader(proof).jwk));
    ctx.body = {
      access_token: await token.save(), issued_token_type: accessToken, token_type: token.tokenType, expires_in: token.expiration, scope: token.scope,
    };
  }, parameters, []);
}
