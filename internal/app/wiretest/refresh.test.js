// Staying signed in and signing out, by openid-client and as a single-page SDK does it: contract 2,
// 4, 7 and 8.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import * as client from 'openid-client';

import {
  assertRefused, audience, claimsOf, passwordless, refreshText, startLatchkey, webSecret,
} from './support/latchkey.js';

const origin = 'https://app.example.com';
const scope = 'openid profile phone offline_access';
const app = { client_id: 'app' };
const web = { client_id: 'web', client_secret: webSecret };

let latchkey;
before(async () => {
  latchkey = await startLatchkey({ cors: { allow_loopback: false }, clients: { app: { audiences: [audience], origins: [origin] } } });
});
after(() => latchkey.stop());

// discover also has ID tokens verified by signature, which this library leaves out otherwise.
async function discover(id, authentication) {
  const config = await client.discovery(new URL(latchkey.issuer), id, undefined, authentication);
  client.enableNonRepudiationChecks(config);
  return config;
}

async function signIn(config, credentials, more) {
  const number = latchkey.stranger();
  const otp = await latchkey.code(number, credentials);
  return client.genericGrantRequest(config, passwordless, { realm: 'sms', username: number, otp, scope, audience, ...more });
}

function signInAnew(error) {
  assert.ok(error instanceof client.ResponseBodyError, error);
  assert.equal(error.status, 403);
  assert.equal(error.error, 'invalid_grant');
  assert.equal(error.error_description, refreshText);
  return true;
}

for (const [how, credentials, authentication] of [
  ['None', app, () => client.None()],
  ['ClientSecretPost', web, () => client.ClientSecretPost(webSecret)],
  ['ClientSecretBasic', web, () => client.ClientSecretBasic(webSecret)],
]) {
  describe(`openid-client, with ${how}`, () => {
    let config;
    before(async () => { config = await discover(credentials.client_id, authentication()); });
    const refresh = (token, parameters) => client.refreshTokenGrant(config, token, parameters);

    it('refreshes', async () => {
      const signedIn = await signIn(config, credentials);
      await sleep(1100); // so that the time of the refresh is another second than the sign-in's
      const refreshed = await refresh(signedIn.refresh_token);
      assert.match(refreshed.refresh_token, /./);
      assert.notEqual(refreshed.refresh_token, signedIn.refresh_token);
      assert.notEqual(refreshed.access_token, signedIn.access_token);
      assert.equal(refreshed.token_type, 'bearer'); // the library writes it so
      assert.ok(refreshed.expiresIn() > 0);
      assert.equal(refreshed.scope, scope);
      const [was, is] = [signedIn.claims(), refreshed.claims()];
      assert.equal(is.sub, was.sub);
      assert.equal(is.aud, credentials.client_id);
      assert.equal(is.auth_time, was.auth_time);
      assert.ok(is.iat > was.iat, 'the ID token is a new one');
      assert.ok(!('nonce' in is));
      assert.equal(claimsOf(refreshed.access_token).aud, audience);
      assert.equal((await client.fetchUserInfo(config, refreshed.access_token, was.sub)).sub, was.sub);
    });

    it('gets the same successor when it repeats a refresh', async () => {
      const { refresh_token: first } = await signIn(config, credentials);
      const { refresh_token: second } = await refresh(first);
      const again = await Promise.all([refresh(first), refresh(first), refresh(first)]);
      assert.deepEqual(again.map((tokens) => tokens.refresh_token), [second, second, second]);
      assert.notEqual((await refresh(second)).refresh_token, second);
    });

    it('ends the session with a refresh token that is two behind', async () => {
      const { refresh_token: first } = await signIn(config, credentials);
      const { refresh_token: second } = await refresh(first);
      const third = await refresh(second);
      await assert.rejects(refresh(first), signInAnew);
      await assert.rejects(refresh(third.refresh_token), signInAnew);
      await assert.rejects(client.fetchUserInfo(config, third.access_token, client.skipSubjectCheck),
        client.WWWAuthenticateChallengeError);
    });

    for (const [what, of] of [['refresh', 'refresh_token'], ['access', 'access_token']]) {
      it(`signs out by its ${what} token, twice if it likes`, async () => {
        const tokens = await signIn(config, credentials);
        await client.tokenRevocation(config, tokens[of], { token_type_hint: of });
        await client.tokenRevocation(config, tokens[of]);
        await assert.rejects(refresh(tokens.refresh_token), signInAnew);
        await assert.rejects(client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck),
          client.WWWAuthenticateChallengeError);
      });
    }

    it('may revoke what is no token', async () => {
      await client.tokenRevocation(config, 'no token');
    });

    it('is told of a refresh token that is none', async () => {
      const { refresh_token: token } = await signIn(config, credentials);
      for (const wrong of ['x', token + 'x', token.slice(0, -1), token.slice(0, -6) + 'AAAAAA']) {
        await assert.rejects(refresh(wrong), signInAnew);
      }
      await refresh(token);
    });
  });
}

describe('openid-client, introspecting', () => {
  for (const [how, authentication] of [['ClientSecretPost', client.ClientSecretPost], ['ClientSecretBasic', client.ClientSecretBasic]]) {
    it(`learns with ${how} what a token says, and after its revocation nothing`, async () => {
      const config = await discover('web', authentication(webSecret));
      const tokens = await signIn(config, web);
      const claims = claimsOf(tokens.access_token);
      const said = await client.tokenIntrospection(config, tokens.access_token);
      for (const name of ['sub', 'client_id', 'scope', 'iss', 'exp', 'iat', 'aud', 'jti', 'tier', 'sid', 'auth_time']) {
        assert.equal(said[name], claims[name], name);
      }
      assert.equal(said.active, true);
      assert.equal(said.token_type, 'Bearer');
      assert.equal(said.iss, latchkey.issuer);
      const ofRefresh = await client.tokenIntrospection(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
      assert.equal(ofRefresh.active, true);
      assert.equal(ofRefresh.sub, claims.sub);

      await client.tokenRevocation(config, tokens.refresh_token);
      for (const token of [tokens.access_token, tokens.refresh_token, tokens.id_token, 'no token']) {
        assert.deepEqual(await client.tokenIntrospection(config, token), { active: false });
      }
    });
  }

  it("learns of another client's access token for its audience, and nothing of its refresh token", async () => {
    const config = await discover('web', client.ClientSecretPost(webSecret));
    const tokens = await latchkey.signIn(latchkey.stranger(), { scope, audience });
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true);
    const { access_token: userinfoOnly } = await latchkey.signIn(latchkey.stranger(), { scope });
    for (const token of [tokens.refresh_token, userinfoOnly]) {
      assert.deepEqual(await client.tokenIntrospection(config, token), { active: false });
    }
  });

  it('is refused without the secret', async () => {
    const { access_token: token } = await latchkey.signIn(latchkey.stranger(), { scope, audience });
    for (const [id, authentication] of [['web', client.ClientSecretPost('wrong')], ['web', client.None()], ['app', client.None()]]) {
      const config = await discover(id, authentication);
      await assert.rejects(client.tokenIntrospection(config, token), (error) => {
        assert.ok(error instanceof client.ResponseBodyError, error);
        assert.equal(error.error, 'invalid_client');
        assert.equal(error.status, 401);
        return true;
      });
    }
    const basic = await discover('web', client.ClientSecretBasic('wrong'));
    const error = await client.tokenIntrospection(basic, token).catch((caught) => caught);
    assert.ok(error instanceof client.WWWAuthenticateChallengeError, error);
    assert.equal(error.status, 401);
    assert.equal(error.cause[0].scheme, 'basic');
    assert.equal((await error.response.json()).error, 'invalid_client');
  });
});

describe('openid-client with a wrong secret', () => {
  it('uses up no refresh token and signs nobody out', async () => {
    const right = await discover('web', client.ClientSecretBasic(webSecret));
    const { refresh_token: first } = await signIn(right, web);
    const { refresh_token: second } = await client.refreshTokenGrant(right, first);
    const { refresh_token: third } = await client.refreshTokenGrant(right, second);
    const wrong = await discover('web', client.ClientSecretPost('wrong'));
    const refused = { name: 'ResponseBodyError', error: 'invalid_client', status: 401 };
    for (const token of [first, third]) {
      await assert.rejects(client.refreshTokenGrant(wrong, token), refused);
      await assert.rejects(client.tokenRevocation(wrong, token), refused);
    }
    await client.refreshTokenGrant(right, third);
  });
});

describe("another client's refresh token", () => {
  it('is not revoked by it', async () => {
    const { refresh_token: token } = await latchkey.signIn(latchkey.stranger(), { client: web, scope });
    await latchkey.revoke(token);
    await latchkey.revoke(token, { everywhere: true });
    await latchkey.refreshed(token, { client: web });
  });

  it('is not taken from it', async () => {
    const { refresh_token: token } = await latchkey.signIn(latchkey.stranger(), { client: web, scope });
    assertRefused(await latchkey.refresh(token), 403, 'invalid_grant', refreshText);
  });
});

describe('a single-page SDK', () => {
  // What it sends, from its page, with the scopes that it fills in.
  const refresh = (token, more) => latchkey.post('/oauth/token', {
    form: { ...app, grant_type: 'refresh_token', refresh_token: token, redirect_uri: origin, scope: 'openid profile email', ...more },
    headers: { Origin: origin, 'Auth0-Client': 'e30=' },
  });

  it('gets an ID token, the next refresh token and the scope', async () => {
    const signedIn = await latchkey.signIn(latchkey.stranger(), { scope: 'openid profile email phone offline_access', audience });
    const answer = await refresh(signedIn.refresh_token);
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers.get('content-type'), /^application\/json/);
    assert.match(answer.headers.get('cache-control'), /no-store/);
    assert.equal(answer.headers.get('access-control-allow-origin'), origin);
    const { access_token: access, id_token: id, refresh_token: next, expires_in: seconds, ...rest } = answer.json;
    assert.deepEqual(rest, { token_type: 'Bearer', scope: 'openid profile email offline_access' });
    assert.ok(Number.isInteger(seconds) && seconds > 0);
    assert.equal(claimsOf(id).sub, claimsOf(signedIn.id_token).sub);
    assert.equal(claimsOf(id).auth_time, claimsOf(signedIn.id_token).auth_time);
    assert.ok(!('nonce' in claimsOf(id)));
    assert.ok(!('phone_number' in claimsOf(id)), 'it was not asked for');
    assert.equal(claimsOf(access).aud, audience);

    assert.equal((await latchkey.refreshed(next)).scope, 'openid profile email phone offline_access', 'what was granted stays granted');
  });

  it('gets no scope that was not granted, and an ID token even if it does not ask for one', async () => {
    const { refresh_token: token } = await latchkey.signIn(latchkey.stranger(), { scope: 'openid phone offline_access' });
    const wider = await refresh(token, { scope: 'openid profile phone made:up' });
    assert.equal(wider.json.scope, 'openid phone offline_access', wider.text);
    const narrower = await refresh(wider.json.refresh_token, { scope: 'phone' });
    assert.equal(narrower.status, 200, narrower.text);
    assert.match(narrower.json.id_token, /^ey/);
  });

  it('finds in the refusal what sends it to the login page', async () => {
    const answer = await refresh('no refresh token');
    assertRefused(answer, 403, 'invalid_grant', refreshText);
    assert.match(answer.json.error_description, /invalid refresh token/);
    assert.equal(answer.headers.get('access-control-allow-origin'), origin);
  });

  it('gets no refresh token that it did not ask for', async () => {
    const tokens = await latchkey.signIn(latchkey.stranger(), { scope: 'openid profile email' });
    assert.ok(!('refresh_token' in tokens));
  });

  it('signs out in JSON and as a form, on this device or everywhere', async () => {
    for (const [format, more, ended] of [
      ['json', {}, false], ['form', {}, false], ['json', { everywhere: false }, false], ['form', { everywhere: 'false' }, false],
      ['json', { everywhere: true }, true], ['json', { everywhere: 'true' }, true], ['form', { everywhere: 'true' }, true],
    ]) {
      const number = latchkey.stranger();
      const here = await latchkey.signIn(number, { scope });
      const there = await latchkey.signIn(number, { scope, client: web });
      const answer = await latchkey.post('/oauth/revoke', { [format]: { ...app, token: here.refresh_token, ...more } });
      assert.equal(answer.status, 200, answer.text);
      assert.ok(['', '{}'].includes(answer.text.trim()), answer.text);
      assertRefused(await latchkey.refresh(here.refresh_token), 403, 'invalid_grant', refreshText);
      const other = await latchkey.refresh(there.refresh_token, { client: web });
      assert.equal(other.status, ended ? 403 : 200, `${format} ${JSON.stringify(more)}: ${other.text}`);
    }
  });
});
