// Requests as no library sends them on purpose, and every refusal to the letter: contract 1 to 6
// and 15. What is refused is sent as JSON and as a form, from a page of a registered origin.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  assertReadable, assertRefused, assertRetryAfter, audience, maximumText, otherCode, passwordless, startLatchkey, webSecret, wrongCodeText,
} from './support/latchkey.js';

const origin = 'https://app.example.com';
const app = { client_id: 'app' };
const web = { client_id: 'web', client_secret: webSecret };
const formats = ['json', 'form'];
const types = { json: 'application/json', form: 'application/x-www-form-urlencoded' };
const large = 'x'.repeat(20_000);

let latchkey;
before(async () => {
  latchkey = await startLatchkey({
    cors: { allow_loopback: false },
    clients: {
      app: { audiences: [audience], origins: [origin] },
      staff: { tiers: ['admin', 'manager', 'employee'] },
      old: { grants: ['legacy_ro'] },
      narrow: { scopes: ['openid', 'phone'] },
    },
  });
});
after(() => latchkey.stop());

// refuses makes a test for each format. params are the request's, or make them of a new number.
function refuses(what, path, params, status, error, { description, only = formats, headers = {}, check } = {}) {
  for (const format of only) {
    it(`${what} (${format})`, async () => {
      const values = typeof params === 'function' ? await params(latchkey.stranger()) : params;
      const answer = await latchkey.post(path, { [format]: values, headers: { Origin: origin, ...headers } });
      assertRefused(answer, status, error, description);
      assertReadable(answer, origin);
      check?.(answer);
    });
  }
}

// refusesMalformed makes tests of bodies that no endpoint takes.
function refusesMalformed(path, error) {
  for (const [what, type, body, status] of [
    ['broken JSON', types.json, '{"client_id":', 400],
    ['text behind the JSON', types.json, '{"client_id":"app"} x', 400],
    ['a JSON array', types.json, '["client_id"]', 400],
    ['JSON null', types.json, 'null', 400],
    ['a member twice', types.json, '{"client_id":"app","client_id":"web"}', 400],
    ['a parameter twice', types.form, 'client_id=app&client_id=web', 400],
    ['a broken form', types.form, 'client_id=%zz', 400],
    ['no body, announced as JSON', types.json, '', 400],
    ['no body, announced as a form', types.form, '', 400],
    ['a client_id that is a number', types.json, '{"client_id":1,"grant_type":"password"}', 400],
    ['JSON of 20 KB', types.json, JSON.stringify({ ...app, large }), 413],
    ['a form of 20 KB', types.form, new URLSearchParams({ ...app, large }).toString(), 413],
    ['plain text', 'text/plain', '{"client_id":"app"}', 415],
    ['a multipart form', 'multipart/form-data; boundary=x', '--x--', 415],
    ['no Content-Type', '', '{"client_id":"app"}', 415],
  ]) {
    it(what, async () => {
      const answer = await latchkey.post(path, { body, headers: { 'Content-Type': type, Origin: origin } });
      assertRefused(answer, status, error);
      assertReadable(answer, origin);
    });
  }
  it('secrets in the URL', async () => {
    for (const name of ['client_secret', 'otp', 'password', 'username', 'phone_number']) {
      assertRefused(await latchkey.post(`${path}?${name}=123456`, { json: app }), 400, error);
    }
  });
}

const without = (values, ...names) => Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));

describe('/passwordless/start', () => {
  const path = '/passwordless/start';
  const request = (number, more) => ({ ...app, connection: 'sms', phone_number: number, send: 'code', ...more });

  for (const format of formats) {
    for (const charset of ['', ';charset=UTF-8', '; charset=utf-8']) {
      it(`takes ${types[format]}${charset}`, async () => {
        const number = latchkey.stranger();
        const answer = await latchkey.post(path, {
          [format]: { ...without(request(number), 'send'), unknown: 'member' },
          headers: { 'Content-Type': types[format] + charset, 'Auth0-Client': 'garbage{', 'X-Request-Language': 'de-CH', Accept: '*/*' },
        });
        assert.equal(answer.status, 200, answer.text);
        assert.match(answer.headers.get('content-type'), /^application\/json/);
        assert.deepEqual(Object.keys(answer.json).sort(), ['_id', 'phone_number', 'phone_verified']);
        assert.match(answer.json._id, /./);
        assert.equal(answer.json.phone_number, number);
        assert.equal(answer.json.phone_verified, false);
      });
    }
  }

  it('ignores members that are no strings, where nobody reads them', async () => {
    const answer = await latchkey.post(path, {
      json: request(latchkey.stranger(), { authParams: { scope: 'openid', state: 'x' }, send: null, device: 1 }),
    });
    assert.equal(answer.status, 200, answer.text);
  });

  it('echoes the number in E.164', async () => {
    const number = latchkey.stranger();
    const national = number.replace('+447700', '07700 ');
    const answer = await latchkey.post(path, { json: request(national) });
    assert.equal(answer.json.phone_number, number, answer.text);
  });

  it('answers a number that HR knows like any other', async () => {
    const answers = [];
    for (const number of ['+447700900002', '+447700900024', latchkey.stranger()]) {
      const { status, headers, json } = await latchkey.post(path, { json: request(number) });
      assert.match(json._id, /./);
      answers.push([status, [...headers.keys()].sort(), headers.get('content-length'), Object.keys(json), json.phone_verified]);
    }
    assert.deepEqual(answers[0], answers[1]);
    assert.deepEqual(answers[0], answers[2]);
  });

  it('sends the living code again, and not before the gap', async () => {
    const number = latchkey.stranger();
    await latchkey.code(number);
    assert.equal((await latchkey.post(path, { json: request(number) })).status, 200);
    assert.equal((await latchkey.texts(number)).length, 1);
  });

  refuses('no number', path, without(request(''), 'phone_number'), 400, 'bad.phone_number');
  refuses('an empty number', path, request(''), 400, 'bad.phone_number');
  refuses('what is no number', path, request('hello'), 400, 'bad.phone_number');
  refuses('too short a number', path, request('+4477'), 400, 'bad.phone_number');
  refuses('a landline', path, request('+442079460000'), 400, 'bad.phone_number');
  refuses('a number that is null', path, request(null), 400, 'bad.phone_number', { only: ['json'] });
  refuses('no connection', path, (number) => without(request(number), 'connection'), 400, 'bad.connection');
  refuses('another connection', path, (number) => request(number, { connection: 'email' }), 400, 'bad.connection');
  refuses('no client', path, (number) => without(request(number), 'client_id'), 400, 'bad.request');
  refuses('an unknown client', path, (number) => request(number, { client_id: 'nobody' }), 400, 'bad.request');
  for (const [what, wrong] of [['a number', 447700900123], ['a list', ['+447700900123']], ['an object', {}], ['a boolean', true]]) {
    refuses(`a phone_number that is ${what}`, path, request(wrong), 400, 'bad.request', { only: ['json'] });
    refuses(`a connection that is ${what}`, path, (number) => request(number, { connection: wrong }), 400, 'bad.request', { only: ['json'] });
    refuses(`a client_secret that is ${what}`, path, (number) => request(number, { client_secret: wrong }), 400, 'bad.request', { only: ['json'] });
  }
  refuses('a wrong secret', path, (number) => request(number, { ...web, client_secret: 'wrong' }), 401, 'invalid_client');
  refuses('a missing secret', path, (number) => request(number, { client_id: 'web' }), 401, 'invalid_client');
  refuses("a public client's secret", path, (number) => request(number, { client_secret: webSecret }), 401, 'invalid_client');
  refuses('a number that has just had a text from another client', path, async (number) => {
    await latchkey.code(number, web);
    return request(number);
  }, 429, 'too_many_requests', { check: assertRetryAfter });
  refuses('who has no guess left at the code', path, async (number) => {
    const code = await latchkey.code(number);
    for (let guess = 1; guess <= 5; guess++) {
      await latchkey.redeem(number, otherCode(code));
    }
    return request(number);
  }, 429, 'too_many_requests', { check: assertRetryAfter });
  refusesMalformed(path, 'bad.request');

  it('sends nothing when it refuses', async () => {
    const number = latchkey.stranger();
    for (const more of [{ connection: 'email' }, { client_id: 'nobody' }, { ...web, client_secret: 'wrong' }, { client_secret: 'a' }]) {
      assert.notEqual((await latchkey.post(path, { json: request(number, more) })).status, 200);
    }
    await latchkey.code(number); // there is no gap to wait out, and the one text is this
    assert.equal((await latchkey.texts(number)).length, 1);
  });
});

describe('/oauth/token, passwordless', () => {
  const path = '/oauth/token';
  const request = (number, otp, more) => ({ ...app, grant_type: passwordless, realm: 'sms', username: number, otp, ...more });
  const wrongCode = { description: wrongCodeText };

  for (const format of formats) {
    for (const charset of ['', ';charset=UTF-8']) {
      it(`takes ${types[format]}${charset}`, async () => {
        const number = latchkey.stranger();
        const otp = await latchkey.code(number);
        const answer = await latchkey.post(path, {
          [format]: request(number, otp, { audience, unknown: 'member' }),
          headers: { 'Content-Type': types[format] + charset, 'Auth0-Client': 'garbage{', Origin: origin },
        });
        assert.equal(answer.status, 200, answer.text);
        assert.match(answer.headers.get('content-type'), /^application\/json/);
        assert.match(answer.headers.get('cache-control'), /no-store/);
        assertReadable(answer, origin);
        const { access_token, id_token, expires_in, ...rest } = answer.json;
        assert.deepEqual(rest, { token_type: 'Bearer', scope: 'openid profile email' }); // the scope when none is asked for
        assert.match(access_token, /^ey/);
        assert.match(id_token, /^ey/);
        assert.ok(Number.isInteger(expires_in) && expires_in > 0);
      });
    }
  }

  it('returns an ID token only with openid, and grants what may be granted', async () => {
    const plain = await latchkey.signIn(latchkey.stranger(), { scope: 'profile phone' });
    assert.deepEqual(Object.keys(plain).sort(), ['access_token', 'expires_in', 'scope', 'token_type']);
    assert.equal(plain.scope, 'profile phone');
    const narrow = await latchkey.signIn(latchkey.stranger(), { client: { client_id: 'narrow' }, scope: 'openid profile phone made:up' });
    assert.equal(narrow.scope, 'openid phone');
  });

  it('takes the number however it is written', async () => {
    const number = latchkey.stranger();
    for (const written of [number.replace('+447700', '+44 7700 '), number.replace('+447700', '07700-'), number.replace('+', '00')]) {
      const answer = await latchkey.redeem(written, ` ${await latchkey.code(number)} `);
      assert.equal(answer.status, 200, `${written}: ${answer.text}`);
    }
  });

  refuses('a wrong code', path, async (number) => request(number, otherCode(await latchkey.code(number))), 403, 'invalid_grant', wrongCode);
  refuses('a code where none was sent', path, (number) => request(number, '123456'), 403, 'invalid_grant', wrongCode);
  refuses('a used code', path, async (number) => {
    const otp = await latchkey.code(number);
    assert.equal((await latchkey.redeem(number, otp)).status, 200);
    return request(number, otp);
  }, 403, 'invalid_grant', wrongCode);
  refuses("another client's code", path, async (number) => request(number, await latchkey.code(number, web)), 403, 'invalid_grant', wrongCode);
  refuses("another number's code", path, async (number) => request(latchkey.stranger(), await latchkey.code(number)), 403, 'invalid_grant', wrongCode);
  refuses('the right code after five wrong ones', path, async (number) => {
    const otp = await latchkey.code(number);
    for (let guess = 1; guess <= 5; guess++) {
      assertRefused(await latchkey.redeem(number, otherCode(otp)), 403, 'invalid_grant', wrongCodeText);
    }
    assertRefused(await latchkey.redeem(number, otp), 403, 'invalid_grant', maximumText);
    return request(number, otp);
  }, 403, 'invalid_grant', { description: maximumText });
  refuses('no code', path, (number) => without(request(number), 'otp'), 400, 'invalid_request');
  refuses('an empty code', path, (number) => request(number, ''), 400, 'invalid_request');
  refuses('no number', path, without(request('', '123456'), 'username'), 400, 'invalid_request');
  refuses('no realm', path, (number) => without(request(number, '123456'), 'realm'), 400, 'invalid_request');
  refuses('no grant type', path, (number) => without(request(number, '123456'), 'grant_type'), 400, 'invalid_request');
  refuses('no client', path, (number) => without(request(number, '123456'), 'client_id'), 400, 'invalid_request');
  refuses('a code that is a number', path, (number) => request(number, 123456), 400, 'invalid_request', { only: ['json'] });
  refuses('a list of codes', path, (number) => request(number, ['123456']), 400, 'invalid_request', { only: ['json'] });
  refuses('another grant type', path, { ...app, grant_type: 'client_credentials' }, 400, 'unsupported_grant_type');
  refuses('the grant type of the legacy endpoint', path,
    (number) => ({ ...app, grant_type: 'password', username: number, password: '123456' }), 400, 'unsupported_grant_type');
  refuses('a client without the grant', path, (number) => request(number, '123456', { client_id: 'old' }), 403, 'unauthorized_client');
  refuses('a person who may not sign in to the client', path,
    async (number) => request(number, await latchkey.code(number, { client_id: 'staff' }), { client_id: 'staff' }), 403, 'access_denied');
  const noChallenge = { check: (answer) => assert.equal(answer.headers.get('www-authenticate'), null) };
  refuses('an unknown client', path, (number) => request(number, '123456', { client_id: 'nobody' }), 401, 'invalid_client', noChallenge);
  refuses('a wrong secret', path, (number) => request(number, '123456', { ...web, client_secret: 'wrong' }), 401, 'invalid_client', noChallenge);
  refuses('a missing secret', path, (number) => request(number, '123456', { client_id: 'web' }), 401, 'invalid_client', noChallenge);
  refuses("a public client's secret", path, (number) => request(number, '123456', { client_secret: 'a' }), 401, 'invalid_client', noChallenge);
  refusesMalformed(path, 'invalid_request');

  it('uses up no code for a request that is wrong otherwise', async () => {
    const number = latchkey.stranger();
    const otp = await latchkey.code(number, web);
    for (const more of [
      { client_secret: 'wrong' }, { client_secret: '' }, { realm: 'email' }, { realm: '' }, { grant_type: 'password' },
      { audience: 'https://other.example.com' }, { username: '' }, { username: 'hello' },
    ]) {
      const answer = await latchkey.post(path, { form: request(number, otp, { ...web, ...more }) });
      assertRefused(answer, answer.status);
      assert.ok([400, 401].includes(answer.status), answer.text);
    }
    assertRefused(await latchkey.post(path, { form: request(number, '12345', web) }), 400); // six digits or no guess
    const answer = await latchkey.redeem(number, otp, web);
    assert.equal(answer.status, 200, answer.text);
  });

  it('gives one of many simultaneous requests the tokens', async () => {
    const number = latchkey.stranger();
    const otp = await latchkey.code(number);
    const answers = await Promise.all(Array.from({ length: 5 }, () => latchkey.redeem(number, otp)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      assertRefused(answer, 403, 'invalid_grant', wrongCodeText);
    }
  });

  it('refuses an older code once there is a newer one', async () => {
    const number = latchkey.stranger();
    const older = await latchkey.code(number);
    assert.equal((await latchkey.redeem(number, older)).status, 200);
    let newer = await latchkey.code(number);
    if (newer === older) { // one in a million
      await latchkey.redeem(number, newer);
      newer = await latchkey.code(number);
    }
    assertRefused(await latchkey.redeem(number, older), 403, 'invalid_grant', wrongCodeText);
    assert.equal((await latchkey.redeem(number, newer)).status, 200);
  });

  it('refuses an expired code', async () => {
    const brief = await startLatchkey({ codes: { lifetime: '1s' } });
    try {
      const number = brief.stranger();
      const otp = await brief.code(number);
      await sleep(1200);
      assertRefused(await brief.redeem(number, otp), 403, 'invalid_grant', wrongCodeText);
    } finally {
      await brief.stop();
    }
  });
});

describe('HTTP Basic at /oauth/token', () => {
  const path = '/oauth/token';
  const request = (more) => ({ grant_type: passwordless, realm: 'sms', username: latchkey.stranger(), otp: '123456', ...more });
  const basic = (id, secret) => ({ Authorization: 'Basic ' + Buffer.from(`${id}:${secret}`).toString('base64') });
  const challenged = (answer) => assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm="/);

  for (const format of formats) {
    it(`signs in (${format}), with client_id in the body or without`, async () => {
      const number = latchkey.stranger();
      for (const more of [{}, { client_id: 'web' }]) {
        const otp = await latchkey.code(number, web);
        const answer = await latchkey.post(path, {
          [format]: { ...request({ username: number, otp }), ...more }, headers: basic('web', webSecret),
        });
        assert.equal(answer.status, 200, answer.text);
      }
    });
  }
  refuses('a wrong secret', path, () => request(), 401, 'invalid_client', { headers: basic('web', 'wrong'), check: challenged });
  refuses('text that is not base64', path, () => request(), 401, 'invalid_client', { headers: { Authorization: 'Basic !' }, check: challenged });
  refuses('an unknown client', path, () => request(), 401, 'invalid_client', {
    headers: basic('nobody', 'secret'), check: challenged,
  });
  refuses('both methods', path, () => request(web), 400, 'invalid_request', { headers: basic('web', webSecret) });
  refuses('two ids', path, () => request(app), 400, 'invalid_request', { headers: basic('web', webSecret) });
});

describe('/oauth/ro', () => {
  const path = '/oauth/ro';
  const legacy = { client_id: 'legacy' };
  const request = (number, password, more) => ({
    ...legacy, grant_type: 'password', connection: 'sms', username: number, password, scope: 'openid offline_access phone_number', ...more,
  });
  const wrongCode = { description: wrongCodeText };

  for (const format of formats) {
    it(`signs in (${format}), with phone_number as a scope`, async () => {
      const number = latchkey.stranger();
      const code = await latchkey.code(number, legacy);
      const answer = await latchkey.post(path, { [format]: request(number.replace('+447700', '07700 '), code, { device: 'old phone' }) });
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.headers.get('cache-control'), /no-store/);
      assert.equal(answer.json.token_type, 'Bearer');
      assert.ok(answer.json.scope.split(' ').includes('phone_number'));
      const claims = JSON.parse(Buffer.from(answer.json.id_token.split('.')[1], 'base64url'));
      assert.equal(claims.phone_number, number);
      assert.ok(!('nonce' in claims));
    });
  }

  refuses('a wrong code', path, async (number) => request(number, otherCode(await latchkey.code(number, legacy))), 401, 'invalid_user_password', wrongCode);
  refuses('a code where none was sent', path, (number) => request(number, '123456'), 401, 'invalid_user_password', wrongCode);
  refuses('a used code', path, async (number) => {
    const code = await latchkey.code(number, legacy);
    assert.equal((await latchkey.redeem(number, code, legacy)).status, 200); // one code for both doors
    return request(number, code);
  }, 401, 'invalid_user_password', wrongCode);
  refuses('the right code after five wrong ones, at either door', path, async (number) => {
    const code = await latchkey.code(number, legacy);
    for (let guess = 1; guess <= 5; guess++) {
      await latchkey.redeem(number, otherCode(code), legacy);
    }
    return request(number, code);
  }, 401, 'invalid_user_password');
  for (const name of ['username', 'password', 'connection', 'grant_type', 'client_id']) {
    refuses(`no ${name}`, path, (number) => without(request(number, '123456'), name), 400, 'invalid_request');
  }
  refuses('another connection', path, (number) => request(number, '123456', { connection: 'Username-Password-Authentication' }), 400, 'invalid_request');
  refuses('another grant type', path, (number) => request(number, '123456', { grant_type: passwordless }), 400, 'unsupported_grant_type');
  refuses('a client that has it not switched on', path, (number) => request(number, '123456', app), 403, 'unauthorized_client');
  refuses('an unknown client', path, (number) => request(number, '123456', { client_id: 'nobody' }), 401, 'invalid_client');
  refuses("a public client's secret", path, (number) => request(number, '123456', { client_secret: 'a' }), 401, 'invalid_client');
  refusesMalformed(path, 'invalid_request');
});

describe('/userinfo', () => {
  const info = (token, { method = 'GET', scheme = 'Bearer', headers } = {}) =>
    latchkey.send(method, '/userinfo', { headers: { Authorization: `${scheme} ${token}`, Origin: origin, ...headers } });
  const person = '+447700900001';
  let tokens;
  before(async () => { tokens = await latchkey.signIn(person, { scope: 'openid profile email phone', audience }); });

  it('answers GET and POST, whatever the case of the scheme, and with a Content-Type but no body', async () => {
    const { sub } = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'));
    for (const how of [
      {}, { scheme: 'bearer' }, { scheme: 'BEARER' }, { headers: { 'Content-Type': types.json } },
      { method: 'POST' }, { method: 'POST', headers: { 'Content-Type': types.form } }, { method: 'POST', headers: { 'Content-Type': types.json } },
    ]) {
      const answer = await info(tokens.access_token, how);
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.headers.get('content-type'), /^application\/json/);
      assert.match(answer.headers.get('cache-control'), /no-store/);
      assertReadable(answer, origin);
      assert.equal(answer.json.sub, sub);
    }
  });

  it('tells what each scope covers, in the types that SDKs read', async () => {
    const all = (await info(tokens.access_token)).json;
    assert.equal(all.name, 'Amara Okafor');
    assert.equal(all.email, 'amara.okafor@example.com');
    assert.equal(typeof all.email_verified, 'boolean');
    assert.equal(all.phone_number, person);
    assert.equal(all.phone_number_verified, true);
    assert.match(all.updated_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
    for (const [scope, claims] of [
      ['openid', []],
      ['openid profile', ['name', 'nickname', 'updated_at']],
      ['openid email', ['email', 'email_verified']],
      ['openid phone', ['phone_number', 'phone_number_verified']],
      ['openid phone_number', ['phone_number', 'phone_number_verified']],
    ]) {
      const { access_token: token } = await latchkey.signIn(person, { scope });
      const { json } = await info(token);
      assert.deepEqual(Object.keys(json).sort(), [...claims, 'sub'].sort(), scope);
      assert.equal(json.sub, all.sub);
    }
  });

  it('leaves out what has no value', async () => {
    const { access_token: token } = await latchkey.signIn(latchkey.stranger(), { scope: 'openid profile email' });
    const { json } = await info(token);
    assert.deepEqual(Object.keys(json), ['sub']);
  });

  // challenged: some clients read the header, others the body.
  function challenged(answer, status, error) {
    assertRefused(answer, status, error);
    assertReadable(answer, origin);
    assert.equal(answer.headers.get('www-authenticate'), `Bearer error="${error}", error_description="${answer.json.error_description}"`);
  }

  it('refuses what is not an access token of ours', async () => {
    for (const method of ['GET', 'POST']) {
      for (const token of ['x', 'a.b.c', tokens.id_token, tokens.access_token + 'x', tokens.access_token.slice(0, -8)]) {
        challenged(await info(token, { method }), 401, 'invalid_token');
      }
    }
  });

  it('refuses a request without a token', async () => {
    for (const headers of [{}, { Authorization: 'Bearer' }, { Authorization: 'Bearer ' }, { Authorization: `Basic ${tokens.access_token}` }]) {
      challenged(await latchkey.get('/userinfo', { headers: { Origin: origin, ...headers } }), 401, 'invalid_token');
    }
  });

  it('refuses a token without openid', async () => {
    const { access_token: token } = await latchkey.signIn(latchkey.stranger(), { scope: 'profile' });
    challenged(await info(token), 403, 'insufficient_scope');
  });
});

describe('CORS', () => {
  const preflight = (path, { from = origin, method = 'POST' } = {}) => latchkey.send('OPTIONS', path, {
    headers: { Origin: from, 'Access-Control-Request-Method': method, 'Access-Control-Request-Headers': 'auth0-client,content-type' },
  });
  const list = (answer, name) => (answer.headers.get(name) ?? '').toLowerCase().split(/\s*,\s*/);
  const writable = [
    ['/passwordless/start', ['POST'], ['auth0-client', 'content-type', 'x-request-language']],
    ['/oauth/token', ['POST'], ['auth0-client', 'content-type', 'x-request-language']],
    ['/oauth/ro', ['POST'], ['auth0-client', 'content-type', 'x-request-language']],
    ['/oauth/revoke', ['POST'], ['auth0-client', 'content-type', 'x-request-language']],
    ['/userinfo', ['GET', 'POST'], ['authorization', 'auth0-client', 'content-type']],
  ];

  for (const [path, methods, headers] of writable) {
    it(`lets a registered origin call ${path}`, async () => {
      for (const method of methods) {
        const answer = await preflight(path, { method });
        assert.ok([200, 204].includes(answer.status), String(answer.status));
        assert.equal(answer.text, '');
        assert.equal(answer.headers.get('access-control-allow-origin'), origin);
        assert.match(answer.headers.get('vary') ?? '', /\borigin\b/i);
        assert.ok(list(answer, 'access-control-allow-methods').includes(method.toLowerCase()));
        for (const header of headers) {
          assert.ok(list(answer, 'access-control-allow-headers').includes(header), header);
        }
        assert.ok(Number(answer.headers.get('access-control-max-age')) >= 60);
      }
    });

    it(`lets no other origin call ${path}`, async () => {
      for (const from of ['https://evil.example.com', 'null', 'http://localhost:3000', origin + '.evil.example', origin.toUpperCase()]) {
        for (const answer of [await preflight(path, { from }), await latchkey.post(path, { json: app, headers: { Origin: from } })]) {
          for (const name of ['allow-origin', 'allow-credentials', 'allow-methods', 'allow-headers']) {
            assert.equal(answer.headers.get(`access-control-${name}`), null, `${from}: ${name}`);
          }
          assert.match(answer.headers.get('vary') ?? '', /\borigin\b/i);
        }
      }
    });
  }

  it('lets everybody read keys and discovery', async () => {
    for (const path of ['/.well-known/jwks.json', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
      const answer = await latchkey.get(path, { headers: { Origin: 'https://anybody.example' } });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    }
  });
});

describe('every path', () => {
  it('that is none answers 404 in JSON', async () => {
    for (const path of ['/nothing', '/oauth', '/oauth/token/', '/.well-known/nothing', '/%00']) {
      for (const method of ['GET', 'POST']) {
        assertRefused(await latchkey.send(method, path), 404);
      }
    }
  });

  it('answers 405 in JSON, and says what it takes', async () => {
    for (const [path, methods] of [
      ['/passwordless/start', ['GET', 'PUT', 'DELETE']], ['/oauth/token', ['GET', 'PATCH']], ['/oauth/ro', ['GET']], ['/userinfo', ['PUT', 'DELETE']],
    ]) {
      for (const method of methods) {
        const answer = await latchkey.send(method, path, { headers: { Origin: origin } });
        assertRefused(answer, 405);
        assertReadable(answer, origin);
        assert.match(answer.headers.get('allow') ?? '', /\bPOST\b/); // RFC 9110 §15.5.6
      }
    }
    for (const path of ['/.well-known/jwks.json', '/.well-known/openid-configuration']) {
      assertRefused(await latchkey.post(path, { json: {} }), 405);
    }
  });

  it('comes from the issuer, not from Host, and is never redirected', async () => {
    const elsewhere = latchkey.issuer.replace('localhost', '127.0.0.1') + '.well-known/openid-configuration';
    const { issuer, token_endpoint: token } = await (await fetch(elsewhere)).json();
    assert.equal(issuer, latchkey.issuer);
    assert.equal(token, latchkey.issuer + 'oauth/token');
    const doubled = await latchkey.get(`${latchkey.issuer}/.well-known/openid-configuration`);
    assert.ok([200, 404].includes(doubled.status), String(doubled.status));
  });

  it('of discovery is said alike in both documents, and works', async () => {
    const { json: oidc } = await latchkey.get('/.well-known/openid-configuration');
    const { json: oauth } = await latchkey.get('/.well-known/oauth-authorization-server');
    assert.deepEqual(oauth, oidc);
    for (const [name, value] of Object.entries(oidc)) {
      if (name.endsWith('_endpoint') || name === 'jwks_uri') {
        assert.notEqual((await latchkey.get(value)).status, 404, name);
      }
    }
    assert.ok(oidc.grant_types_supported.includes(passwordless));
    assert.ok(oidc.response_types_supported === undefined || oidc.response_types_supported.every((type) => type === 'code'));
    assert.deepEqual(oidc.subject_types_supported, ['public']);
    assert.deepEqual([...oidc.token_endpoint_auth_methods_supported].sort(), ['client_secret_basic', 'client_secret_post', 'none']);
  });
});
