// Tokens as a service verifies them, with jose: contract 9, 10 and 12.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { base64url, createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

import { audience, startLatchkey } from './support/latchkey.js';

const phoneScopes = 'openid profile email phone';

describe('jose', () => {
  let latchkey, metadata, keys;
  before(async () => {
    latchkey = await startLatchkey({
      clients: {
        es256: { algorithm: 'ES256', audiences: [audience] },
        eddsa: { algorithm: 'EdDSA', audiences: [audience] },
      },
    });
    metadata = (await latchkey.get('/.well-known/openid-configuration')).json;
    keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
  });
  after(() => latchkey.stop());

  const verifyAccess = (token, more) => jwtVerify(token, keys, { issuer: latchkey.issuer, audience, typ: 'at+jwt', ...more });
  const verifyID = (token, clientID, more) => jwtVerify(token, keys, { issuer: latchkey.issuer, audience: clientID, ...more });

  it('finds the keys through discovery, at the path that some SDKs assume', () => {
    assert.equal(metadata.issuer, latchkey.issuer);
    assert.equal(metadata.jwks_uri, latchkey.issuer + '.well-known/jwks.json');
    assert.ok(metadata.id_token_signing_alg_values_supported.includes('RS256'));
    assert.ok(!metadata.id_token_signing_alg_values_supported.includes('none'));
  });

  it('publishes keys with alg, use and kid, and nothing private', async () => {
    const members = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] };
    const { json } = await latchkey.get('/.well-known/jwks.json');
    assert.deepEqual(new Set(json.keys.map((key) => key.alg)), new Set(['RS256', 'ES256', 'EdDSA']));
    assert.equal(new Set(json.keys.map((key) => key.kid)).size, json.keys.length);
    for (const key of json.keys) {
      assert.deepEqual(Object.keys(key).sort(), ['kty', 'use', 'alg', 'kid', ...members[key.kty]].sort());
      assert.equal(key.use, 'sig');
      assert.match(key.kid, /./);
      for (const name of members[key.kty]) {
        assert.match(key[name], /^[A-Za-z0-9_-]+$/);
      }
    }
  });

  for (const [who, number, tier, permissions, name] of [
    ['an employee', '+447700900001', 'employee', ['directory:read', 'profile:read'], 'Amara Okafor'],
    ['a manager', '+447700900005', 'manager', ['directory:read', 'reports:read', 'profile:read'], 'Priya Raman'],
    ['an administrator', '+447700900010', 'admin',
      ['directory:read', 'sessions:revoke', 'keys:rotate', 'reports:read', 'profile:read'], 'Ingrid Solberg'],
    ['a contractor', '+447700900022', 'contractor', ['profile:read'], 'Sanjay Patel'],
    ['a leaver', '+447700900024', 'anonymous'],
    ['a number that two people share', '+447700900020', 'anonymous'],
    ['a stranger', '+447700900123', 'anonymous'],
  ]) {
    it(`verifies the tokens of ${who}: ${tier}`, async () => {
      const began = Math.floor(Date.now() / 1000);
      const tokens = await latchkey.signIn(number, { audience, scope: phoneScopes });
      const ended = Math.floor(Date.now() / 1000);
      const access = await verifyAccess(tokens.access_token);
      const id = await verifyID(tokens.id_token, 'app');
      for (const { protectedHeader: header, payload } of [access, id]) {
        assert.equal(header.alg, 'RS256');
        assert.match(header.kid, /./);
        assert.match(payload.sub, /./);
        assert.ok(payload.iat >= began && payload.iat <= ended, 'iat is the time of the request, not of the future');
        assert.equal(payload.tier, tier);
        for (const claim of ['nonce', 'org_id', 'org_name']) {
          assert.ok(!(claim in payload), claim);
        }
      }

      assert.equal(access.payload.aud, audience);
      assert.equal(access.payload.azp, 'app');
      assert.equal(access.payload.client_id, 'app');
      assert.equal(access.payload.scope, phoneScopes);
      assert.equal(access.payload.exp - access.payload.iat, tokens.expires_in);
      assert.match(access.payload.jti, /./);
      assert.deepEqual(access.payload.permissions, permissions);
      assert.deepEqual(Object.keys(access.payload.status), ['status_list']);
      assert.deepEqual(Object.keys(access.payload.status.status_list).sort(), ['idx', 'uri']);
      assert.ok(!JSON.stringify(access.payload).includes(number.slice(1)), 'the number is nobody else\'s business');

      assert.equal(id.protectedHeader.typ, 'JWT');
      assert.equal(id.payload.aud, 'app');
      assert.ok(!('status' in id.payload));
      assert.equal(id.payload.sub, access.payload.sub);
      assert.ok(id.payload.auth_time >= began && id.payload.auth_time <= ended);
      assert.equal(id.payload.at_hash, halfHash('sha256', tokens.access_token));
      assert.equal(id.payload.name, name);
      assert.equal(id.payload.phone_number, number);
      assert.equal(id.payload.phone_number_verified, true);
    });
  }

  for (const [clientID, alg, hash] of [['app', 'RS256', 'sha256'], ['es256', 'ES256', 'sha256'], ['eddsa', 'EdDSA', 'sha512']]) {
    it(`verifies ${alg} for the client that has it`, async () => {
      const tokens = await latchkey.signIn(latchkey.stranger(), { client: { client_id: clientID }, audience });
      const algorithms = [alg];
      assert.equal((await verifyAccess(tokens.access_token, { algorithms })).protectedHeader.alg, alg);
      const id = await verifyID(tokens.id_token, clientID, { algorithms });
      assert.equal(id.protectedHeader.alg, alg);
      assert.equal(id.payload.at_hash, halfHash(hash, tokens.access_token));
    });
  }

  it('keeps the subject of a number from one sign-in to the next, at every client', async () => {
    const number = latchkey.stranger();
    const subjects = [];
    for (const client of [{ client_id: 'app' }, { client_id: 'app' }, { client_id: 'es256' }]) {
      const { payload } = await verifyAccess((await latchkey.signIn(number, { client, audience })).access_token);
      subjects.push(payload.sub);
    }
    assert.deepEqual(subjects, Array(3).fill(subjects[0]));
    const other = await verifyAccess((await latchkey.signIn(latchkey.stranger(), { audience })).access_token);
    assert.notEqual(other.payload.sub, subjects[0]);
  });

  describe('refuses', () => {
    let tokens;
    before(async () => {
      tokens = await latchkey.signIn(latchkey.stranger(), { audience });
      await verifyAccess(tokens.access_token);
    });
    const wrongClaim = (claim) => ({ code: 'ERR_JWT_CLAIM_VALIDATION_FAILED', claim });

    it('an ID token as an access token', async () => {
      await assert.rejects(verifyAccess(tokens.id_token), wrongClaim('typ'));
      await assert.rejects(verifyAccess(tokens.id_token, { typ: undefined }), wrongClaim('aud'));
    });

    it('an access token as an ID token', async () => {
      await assert.rejects(verifyID(tokens.access_token, 'app'), wrongClaim('aud'));
    });

    it('an access token for no audience at a service', async () => {
      const plain = await latchkey.signIn(latchkey.stranger());
      await assert.rejects(verifyAccess(plain.access_token), wrongClaim('aud'));
    });

    it('a token that was tampered with, as latchkey itself does', async () => {
      const [header, payload, signature] = tokens.access_token.split('.');
      const claims = JSON.parse(new TextDecoder().decode(base64url.decode(payload)));
      const promoted = [header, base64url.encode(JSON.stringify({ ...claims, tier: 'admin' })), signature].join('.');
      const unsigned = [base64url.encode(JSON.stringify({ ...decodeProtectedHeader(tokens.access_token), alg: 'none' })), payload, ''].join('.');
      await assert.rejects(verifyAccess(promoted), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
      await assert.rejects(verifyAccess(unsigned));
      for (const forged of [promoted, unsigned]) {
        const answer = await latchkey.get('/userinfo', { headers: { Authorization: `Bearer ${forged}` } });
        assert.equal(answer.status, 401, answer.text);
      }
    });
  });
});

// halfHash is at_hash of OIDC Core §3.1.3.6.
function halfHash(hash, token) {
  const digest = createHash(hash).update(token).digest();
  return digest.subarray(0, digest.length / 2).toString('base64url');
}
