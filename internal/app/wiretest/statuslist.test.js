// The token status list, with the public @sd-jwt/jwt-status-list and jose: which tokens are revoked
// (draft-ietf-oauth-status-list).
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list';
import { createRemoteJWKSet, jwtVerify } from 'jose';

import { assertRefused, audience, refreshText, startLatchkey } from './support/latchkey.js';

const scope = 'openid offline_access';
const mediaType = 'application/statuslist+jwt';

describe('the status list', () => {
  let latchkey, keys;
  before(async () => {
    latchkey = await startLatchkey({ clients: { es256: { algorithm: 'ES256', audiences: [audience] } } });
    keys = createRemoteJWKSet(new URL(latchkey.issuer + '.well-known/jwks.json'));
  });
  after(() => latchkey.stop());

  const signIn = (number = latchkey.stranger(), more) => latchkey.signIn(number, { scope, audience, ...more });

  // verified checks a list as a service does that relies on it, and returns {payload, list}.
  async function verified(uri) {
    const { status, headers, text } = await latchkey.get(uri, { headers: { Accept: mediaType } });
    assert.equal(status, 200, text);
    assert.equal(headers.get('content-type'), mediaType);
    const { payload } = await jwtVerify(text, keys, { subject: uri, typ: 'statuslist+jwt', algorithms: ['RS256'] });
    return { payload, list: getListFromStatusListJWT(text) };
  }

  const statusOf = async ({ idx, uri }) => (await verified(uri)).list.getStatus(idx);

  // revoked returns the places of a list that are not 0.
  async function revoked(uri) {
    const { list } = await verified(uri);
    return list.statusList.flatMap((status, idx) => (status ? [idx] : []));
  }

  // assertRevoked demands that places show as revoked within 5 seconds.
  async function assertRevoked(...places) {
    const deadline = Date.now() + 5000;
    const all = async () => (await Promise.all(places.map(statusOf))).every((status) => status === 1);
    while (!await all()) {
      assert.ok(Date.now() < deadline, 'the list does not tell of a revocation');
      await sleep(50);
    }
  }

  it('is named by an access token, and says what it is', async () => {
    const { idx, uri } = getStatusListFromJWT((await signIn()).access_token);
    assert.ok(Number.isInteger(idx) && idx >= 0);
    assert.ok(uri.startsWith(latchkey.issuer), uri);
    const { payload, list } = await verified(uri);
    const now = Math.floor(Date.now() / 1000);
    assert.deepEqual(Object.keys(payload).sort(), ['exp', 'iat', 'status_list', 'sub', 'ttl']);
    assert.equal(payload.ttl, 15);
    assert.ok(payload.iat <= now && payload.iat > now - 2 * payload.ttl, 'it is fresh');
    assert.ok(payload.exp > now + payload.ttl, 'it is good for longer than it is cached');
    assert.deepEqual(Object.keys(payload.status_list).sort(), ['bits', 'lst']);
    assert.equal(list.getBitsPerStatus(), 1);
    assert.equal(list.statusList.length, 2 ** 20);
    assert.ok(idx < list.statusList.length);
  });

  it('tells of a revoked token within 5 seconds, and of no other', async () => {
    const tokens = [];
    for (let i = 0; i < 5; i++) {
      tokens.push(await signIn());
    }
    const places = tokens.map(({ access_token: token }) => getStatusListFromJWT(token));
    assert.equal(new Set(places.map(({ idx }) => idx)).size, places.length, 'each has a place of its own');
    const [{ uri }] = places;
    assert.ok(places.every((place) => place.uri === uri));
    const before = await revoked(uri);
    for (const place of places) {
      assert.equal(await statusOf(place), 0);
    }
    await latchkey.revoke(tokens[2].refresh_token);
    await assertRevoked(places[2]);
    assert.deepEqual(await revoked(uri), [...before, places[2].idx].sort((a, b) => a - b), 'the neighbours stay 0');
  });

  it('holds a session and not a token: a refresh keeps its place', async () => {
    const first = await signIn();
    const second = await latchkey.refreshed(first.refresh_token);
    const place = getStatusListFromJWT(first.access_token);
    assert.deepEqual(getStatusListFromJWT(second.access_token), place);
    assert.equal(await statusOf(place), 0);
    await latchkey.revoke(second.access_token);
    await assertRevoked(place);
  });

  it('tells of all of a person\'s sessions when they sign out everywhere, whatever they are signed with', async () => {
    const number = latchkey.stranger();
    const [here, there] = [await signIn(number), await signIn(number, { client: { client_id: 'es256' } })];
    const other = getStatusListFromJWT((await signIn()).access_token);
    await latchkey.revoke(here.refresh_token, { everywhere: true });
    await assertRevoked(...[here, there].map(({ access_token: token }) => getStatusListFromJWT(token)));
    assert.equal(await statusOf(other), 0);
  });

  it('tells of a session that ended because its refresh token came back two behind', async () => {
    const first = await signIn();
    const second = await latchkey.refreshed(first.refresh_token);
    await latchkey.refreshed(second.refresh_token);
    const place = getStatusListFromJWT(first.access_token);
    assert.equal(await statusOf(place), 0);
    assertRefused(await latchkey.refresh(first.refresh_token), 403, 'invalid_grant', refreshText);
    await assertRevoked(place);
  });

  it('has tokens in it that cannot be refreshed', async () => {
    const { access_token: token } = await signIn(latchkey.stranger(), { scope: 'openid' });
    const place = getStatusListFromJWT(token);
    assert.equal(await statusOf(place), 0);
    await latchkey.revoke(token);
    await assertRevoked(place);
  });

  it('can be cached for its ttl, asked for anew by its tag, and read by every page', async () => {
    const { uri } = getStatusListFromJWT((await signIn()).access_token);
    let again;
    for (let attempt = 1; attempt <= 3 && again?.status !== 304; attempt++) { // it may be made anew in between
      const { headers } = await latchkey.get(uri, { headers: { Origin: 'https://anybody.example' } });
      assert.equal(headers.get('access-control-allow-origin'), '*');
      assert.equal(headers.get('cache-control'), 'public, max-age=15');
      again = await latchkey.get(uri, { headers: { 'If-None-Match': headers.get('etag') } });
    }
    assert.equal(again.status, 304);
    assert.equal(again.text, '');
  });

  it('is refused in JSON where there is none', async () => {
    const { uri } = getStatusListFromJWT((await signIn()).access_token);
    for (const path of [uri + 'x', new URL('/status-lists/1', uri).href]) {
      assertRefused(await latchkey.get(path), 404);
    }
  });
});
