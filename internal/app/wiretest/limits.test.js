// What is refused for being too much, and the language of texts: contract 3 to 5, 15 and 16. dev lifts limits, so
// they are laid over it; each test comes from an address of its own, as through a proxy.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import {
  assertReadable, assertRefused, assertRetryAfter, audience, otherCode, passwordless, startLatchkey, webSecret,
} from './support/latchkey.js';

const origin = 'https://app.example.com';
const employee = '+447700900001';
const hour = 3600;

let latchkey;
let addresses = 0;
before(async () => {
  latchkey = await startLatchkey({
    company_networks: [],
    trusted_proxies: ['127.0.0.1', '::1'],
    codes: { guesses_per_source: 5 },
    limits: {
      number: { guesses_per_source_day: 3, texts_per_source_hour: 1 },
      source: { numbers_per_hour: 3, network_factor: 256 },
    },
    cors: { allow_loopback: false },
    clients: {
      app: { audiences: [audience], origins: [origin], language: 'fr' },
      legacy: { grants: ['passwordless', 'legacy_ro'], origins: [origin] },
      web: { secret: webSecret, trust_forwarded_for: true },
    },
  });
});
after(() => latchkey.stop());

// somewhere are the headers of a page of the app, used at an address where nobody else is.
const somewhere = () => ({ Origin: origin, 'X-Forwarded-For': `203.0.113.${++addresses}` });

const start = (number, headers, more) => latchkey.post('/passwordless/start', {
  json: { client_id: 'app', connection: 'sms', phone_number: number, ...more }, headers,
});
const redeem = (number, otp, headers) => latchkey.post('/oauth/token', {
  form: { client_id: 'app', grant_type: passwordless, realm: 'sms', username: number, otp }, headers,
});
const codeFor = (number, headers, more) => latchkey.codeFrom(number, async () => {
  const answer = await start(number, headers, more);
  assert.equal(answer.status, 200, answer.text);
});

// assertLimited checks a 429 from end to end, and returns how long to wait.
function assertLimited(answer, error, longest) {
  assertRefused(answer, 429, error);
  assertReadable(answer, origin);
  const wait = assertRetryAfter(answer);
  assert.ok(wait <= longest, `${wait} s`);
  return wait;
}

describe('too many wrong guesses at a number from one address', () => {
  it('are 429 too_many_attempts at both doors, the right code too, and harm nobody elsewhere', async () => {
    const [number, here, elsewhere] = [latchkey.stranger(), somewhere(), somewhere()];
    const code = await codeFor(number, here);
    for (let guess = 1; guess <= 3; guess++) {
      assertRefused(await redeem(number, otherCode(code), here), 403, 'invalid_grant');
    }
    assertLimited(await redeem(number, otherCode(code), here), 'too_many_attempts', 24 * hour);
    assertLimited(await redeem(number, code, here), 'too_many_attempts', 24 * hour);
    assertLimited(await latchkey.post('/oauth/ro', {
      json: { client_id: 'legacy', connection: 'sms', grant_type: 'password', username: number, password: code, scope: 'openid' }, headers: here,
    }), 'too_many_attempts', 24 * hour);
    assertLimited(await start(number, here), 'too_many_requests', 24 * hour);
    const answer = await redeem(number, code, elsewhere); // a limited request has no effect
    assert.equal(answer.status, 200, answer.text);
  });

  it('are not waited for longer by who repeats the request', async () => {
    const [number, here] = [latchkey.stranger(), somewhere()];
    for (let guess = 1; guess <= 3; guess++) {
      assertRefused(await redeem(number, '123456', here), 403, 'invalid_grant');
    }
    let wait = 24 * hour;
    for (let repeat = 1; repeat <= 5; repeat++) {
      wait = assertLimited(await redeem(number, '123456', here), 'too_many_attempts', wait);
    }
  });

  it("are answered alike at an employee's number and at a stranger's", async () => {
    const answers = [];
    for (const number of [employee, latchkey.stranger()]) {
      const here = somewhere();
      for (let guess = 1; guess <= 3; guess++) {
        await redeem(number, '123456', here);
      }
      const { status, headers, text } = await redeem(number, '123456', here);
      assert.equal(status, 429);
      answers.push([[...headers.keys()].sort(), text]);
    }
    assert.deepEqual(answers[0], answers[1]);
  });
});

describe('too many codes asked for', () => {
  it('for different numbers are 429 too_many_requests, and no text goes out', async () => {
    const here = somewhere();
    for (let n = 1; n <= 3; n++) {
      await codeFor(latchkey.stranger(), here);
    }
    const number = latchkey.stranger();
    assertLimited(await start(number, here), 'too_many_requests', hour);
    await codeFor(number, somewhere()); // which is also when a text of the refused one would be there
    assert.equal((await latchkey.texts(number)).length, 1);
  });

  it('for one number are 429 too_many_requests there and not elsewhere', async () => {
    const [number, here] = [latchkey.stranger(), somewhere()];
    await codeFor(number, here);
    const [asOld, elsewhere] = [{ client_id: 'legacy' }, somewhere()];
    assertLimited(await start(number, here, asOld), 'too_many_requests', hour);
    await codeFor(number, elsewhere, asOld);
  });

  it('leave preflights alone', async () => {
    const here = somewhere();
    const number = latchkey.stranger();
    await codeFor(number, here);
    assertLimited(await start(number, here, { client_id: 'legacy' }), 'too_many_requests', hour);
    const answer = await latchkey.send('OPTIONS', '/passwordless/start', {
      headers: { ...here, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type,x-request-language' },
    });
    assert.equal(answer.status, 204, answer.text);
  });

  it("count at the person's address, where a server that may says it by auth0-forwarded-for", async () => {
    const web = { client_id: 'web', client_secret: webSecret };
    const server = somewhere();
    const ask = (headers, more) => start(latchkey.stranger(), { ...server, ...headers }, more);
    for (let n = 1; n <= 6; n++) {
      const answer = await ask({ 'auth0-forwarded-for': `198.51.100.${n}` }, web);
      assert.equal(answer.status, 200, answer.text);
    }
    for (let n = 1; n <= 3; n++) { // a public client is not believed
      const answer = await ask({ 'auth0-forwarded-for': `198.51.100.${100 + n}` });
      assert.equal(answer.status, 200, answer.text);
    }
    assertLimited(await ask({ 'auth0-forwarded-for': '198.51.100.200' }), 'too_many_requests', hour);
  });
});

describe('the text', () => {
  const bodyFor = async (language) => {
    const number = latchkey.stranger();
    await codeFor(number, { ...somewhere(), ...(language && { 'X-Request-Language': language }) });
    const [{ body, code }] = await latchkey.texts(number);
    assert.ok(body.startsWith(code), body);
    assert.equal(body.split('\n').at(-1), `@localhost #${code}`); // which is how phones fill it in
    return body;
  };

  for (const [asked, words] of [
    ['de', /ist Ihr Code/], ['de-CH', /ist Ihr Code/], ['pl-PL', /to kod/], ['xx', /est votre code/],
    ['en', /is your Latchkey code/], ['{brand}\u00e4', /est votre code/], [undefined, /est votre code/],
  ]) {
    it(`is in the language of the request, else of the client: ${asked}`, async () => {
      assert.match(await bodyFor(asked), words);
    });
  }
});
