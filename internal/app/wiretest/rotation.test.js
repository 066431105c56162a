// Rotations as a service sees them that verifies with jose, which caches the JWKS: contract 10 and 12. All
// times are shorter than in earnest, those of the caches too.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

import { audience, startLatchkey } from './support/latchkey.js';

const scope = 'openid offline_access';
const rotations = 3;
const patience = 14_000;

describe('jose, while keys rotate', () => {
  let latchkey, url;
  before(async () => {
    latchkey = await startLatchkey({
      keys: { rehearsal: true, rotate_every: '2s', publish_before: '2s', keep_after: '6s' },
      clients: {
        es256: { algorithm: 'ES256', audiences: [audience] },
        eddsa: { algorithm: 'EdDSA', audiences: [audience] },
      },
    });
    url = new URL('/.well-known/jwks.json', latchkey.issuer);
  });
  after(() => latchkey.stop());

  it('verifies every token at once and later, whatever it has in its cache', async () => {
    const services = [
      createRemoteJWKSet(url, { cacheMaxAge: 1000, cooldownDuration: 250 }), // an eager one
      createRemoteJWKSet(url, { cacheMaxAge: 1500, cooldownDuration: 60_000 }), // one that waits for its cache to expire
      createRemoteJWKSet(url, { cacheMaxAge: 60_000, cooldownDuration: 250 }), // one that waits for a kid that it does not know
    ];
    const verify = (keys, token, alg) => jwtVerify(token, keys, { issuer: latchkey.issuer, audience, typ: 'at+jwt', algorithms: [alg] });
    const people = [];
    for (const [id, alg] of [['app', 'RS256'], ['es256', 'ES256'], ['eddsa', 'EdDSA']]) {
      const client = { client_id: id };
      const { refresh_token: token } = await latchkey.signIn(latchkey.stranger(), { client, scope, audience });
      people.push({ client, alg, token, kids: new Set() });
    }
    const all = [];
    const done = () => people.every(({ kids }) => kids.size > rotations);
    for (const deadline = Date.now() + patience; !done() && Date.now() < deadline; await sleep(20)) {
      for (const person of people) {
        const { client, alg } = person;
        const { access_token: access, refresh_token: next } = await latchkey.refreshed(person.token, { client });
        person.token = next;
        person.kids.add(decodeProtectedHeader(access).kid);
        all.push([access, alg]);
        for (const keys of services) {
          await verify(keys, access, alg);
        }
      }
    }
    for (const { alg, kids } of people) {
      assert.ok(kids.size > rotations, `${alg}: ${kids.size} keys in ${patience / 1000} s`);
    }
    services.push(createRemoteJWKSet(url)); // one that has just started
    for (const [access, alg] of all) {
      for (const keys of services) {
        await verify(keys, access, alg);
      }
    }
    const oldest = all[0][0];
    const info = await latchkey.get('/userinfo', { headers: { Authorization: `Bearer ${oldest}` } });
    assert.equal(info.status, 200, info.text);
  });

  it('may hold the JWKS for a fraction of the time for which a key is published before it signs', async () => {
    const { headers, json } = await latchkey.get(url);
    assert.equal(headers.get('cache-control'), 'public, max-age=1');
    for (const key of json.keys) {
      assert.equal(key.use, 'sig');
      assert.ok(key.alg && key.kid && !('d' in key));
    }
    assert.equal(new Set(json.keys.map(({ kid }) => kid)).size, json.keys.length);
  });
});
