// A server-side app with openid-client: contract 2, 4, 6 and 9.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import * as client from 'openid-client';

import { audience, otherCode, passwordless, startLatchkey, webSecret, wrongCodeText } from './support/latchkey.js';

// What a form, Basic and their two layers of encoding each could break.
const oddSecret = 'a b+c%41:d/e?f=g&h"ü€~é';

describe('openid-client', () => {
  let latchkey;
  before(async () => {
    latchkey = await startLatchkey({
      clients: {
        'odd~client_1.x': { secret: oddSecret, audiences: [audience] },
        es256: { algorithm: 'ES256' },
        eddsa: { algorithm: 'EdDSA' },
      },
    });
  });
  after(() => latchkey.stop());

  // discover also has ID tokens verified by signature, which this library leaves out otherwise.
  async function discover(id, authentication, metadata) {
    const config = await client.discovery(new URL(latchkey.issuer), id, metadata, authentication);
    client.enableNonRepudiationChecks(config);
    return config;
  }
  const grant = (config, number, otp, more) =>
    client.genericGrantRequest(config, passwordless, { realm: 'sms', username: number, otp, ...more });

  it('discovers by both documents', async () => {
    for (const algorithm of ['oidc', 'oauth2']) {
      const config = await client.discovery(new URL(latchkey.issuer), 'app', undefined, client.None(), { algorithm });
      const server = config.serverMetadata();
      assert.equal(server.issuer, latchkey.issuer);
      assert.equal(server.token_endpoint, latchkey.issuer + 'oauth/token');
      assert.equal(server.userinfo_endpoint, latchkey.issuer + 'userinfo');
    }
  });

  for (const [how, id, secret, authentication] of [
    ['None', 'app', undefined, () => client.None()],
    ['ClientSecretPost', 'web', webSecret, client.ClientSecretPost],
    ['ClientSecretBasic', 'web', webSecret, client.ClientSecretBasic],
    ['ClientSecretPost and an odd secret', 'odd~client_1.x', oddSecret, client.ClientSecretPost],
    ['ClientSecretBasic and an odd secret', 'odd~client_1.x', oddSecret, client.ClientSecretBasic],
  ]) {
    it(`signs in with ${how}, and asks who it is`, async () => {
      const number = latchkey.stranger();
      const config = await discover(id, authentication(secret));
      const code = await latchkey.code(number, { client_id: id, client_secret: secret });
      const tokens = await grant(config, number, code, { scope: 'openid profile phone', audience });
      assert.equal(tokens.token_type, 'bearer'); // the library writes it so
      assert.ok(tokens.expiresIn() > 0);
      assert.equal(tokens.claims().aud, id);
      assert.equal(tokens.claims().phone_number, number);
      const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
      assert.equal(info.phone_number, number);
      await assert.rejects(client.fetchUserInfo(config, tokens.access_token, 'somebody else'));
    });
  }

  for (const [id, alg] of [['es256', 'ES256'], ['eddsa', 'EdDSA']]) {
    it(`takes ${alg} where it asks for it`, async () => {
      const number = latchkey.stranger();
      const config = await discover(id, client.None(), { id_token_signed_response_alg: alg });
      const tokens = await grant(config, number, await latchkey.code(number, { client_id: id }), { scope: 'openid' });
      assert.equal(tokens.claims().aud, id);
    });
  }

  it('tells of a wrong code, and of a used one', async () => {
    const number = latchkey.stranger();
    const config = await discover('web', client.ClientSecretPost(webSecret));
    const code = await latchkey.code(number, { client_id: 'web', client_secret: webSecret });
    const refused = (error) => {
      assert.ok(error instanceof client.ResponseBodyError, error);
      assert.equal(error.error, 'invalid_grant');
      assert.equal(error.error_description, wrongCodeText);
      assert.equal(error.status, 403);
      return true;
    };
    await assert.rejects(grant(config, number, otherCode(code)), refused);
    await grant(config, number, code);
    await assert.rejects(grant(config, number, code), refused);
  });

  it('tells of a wrong secret, which costs no code', async () => {
    const number = latchkey.stranger();
    const code = await latchkey.code(number, { client_id: 'web', client_secret: webSecret });
    await assert.rejects(grant(await discover('web', client.ClientSecretPost('wrong')), number, code), (error) => {
      assert.ok(error instanceof client.ResponseBodyError, error);
      assert.equal(error.error, 'invalid_client');
      assert.equal(error.status, 401);
      return true;
    });
    await assert.rejects(grant(await discover('web', client.ClientSecretBasic('wrong')), number, code), (error) => {
      assert.ok(error instanceof client.WWWAuthenticateChallengeError, error);
      assert.equal(error.status, 401);
      assert.equal(error.cause[0].scheme, 'basic');
      return true;
    });
    await assert.rejects(grant(await discover('web', client.None()), number, code), { error: 'invalid_client', status: 401 });
    const tokens = await grant(await discover('web', client.ClientSecretBasic(webSecret)), number, code);
    assert.equal(tokens.claims().aud, 'web');
  });

  it('tells of a secret that a public client should not have', async () => {
    const number = latchkey.stranger();
    const code = await latchkey.code(number);
    await assert.rejects(grant(await discover('app', client.ClientSecretPost('a secret')), number, code),
      { error: 'invalid_client', status: 401 });
    await grant(await discover('app', client.None()), number, code);
  });

  it('tells of a token that userinfo does not take', async () => {
    const config = await discover('app', client.None());
    await assert.rejects(client.fetchUserInfo(config, 'not.a.token', client.skipSubjectCheck), (error) => {
      assert.ok(error instanceof client.WWWAuthenticateChallengeError, error);
      assert.equal(error.status, 401);
      assert.equal(error.cause[0].scheme, 'bearer');
      assert.equal(error.cause[0].parameters.error, 'invalid_token');
      return true;
    });
  });
});
