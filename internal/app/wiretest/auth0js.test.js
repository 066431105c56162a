// An app in a browser, with auth0-js, on a site of its own: contract 3 to 7, 13 and 15. Nothing
// stands between the browser and latchkey, so preflights are the browser's own and CORS is real.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';

import { chromium } from 'playwright-core';

import { appHost, spkiDigest, tlsOptions } from './support/certificates.js';
import {
  assertRefused, audience, claimsOf, maximumText, otherCode, passwordless, refreshText, startLatchkey, wrongCodeText,
} from './support/latchkey.js';

const library = readFileSync(createRequire(import.meta.url).resolve('auth0-js/dist/auth0.min.js'));

describe('auth0-js', () => {
  const servers = [];
  let latchkey, browser, page, registered, unregistered, stranger;

  before(async () => {
    [registered, unregistered, stranger] = await Promise.all(
      [serveApp(), serveApp(), serveApp({ trusted: false })]);
    latchkey = await startLatchkey({
      cors: { allow_loopback: false },
      limits: { number: { guesses_per_source_day: 6, guesses_per_day: 6, guesses_alarm: 5 } },
      clients: { browser: { audiences: [audience], grants: ['passwordless', 'legacy_ro'], origins: [registered] } },
    });
    browser = await chromium.launch({
      executablePath: chromiumPath(),
      args: [
        '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
        `--ignore-certificate-errors-spki-list=${spkiDigest()}`,
        `--host-resolver-rules=MAP ${appHost} 127.0.0.1, MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
      ],
    });
    page = await browser.newPage();
  });
  after(async () => {
    await browser?.close();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await latchkey?.stop();
  });

  // serveApp serves the app at an origin of its own, which it returns.
  async function serveApp(options) {
    const server = createServer(tlsOptions(options), (request, response) => {
      const [type, body] = {
        '/': ['text/html', '<!doctype html><title>App</title><script src="/auth0.min.js"></script>'],
        '/auth0.min.js': ['text/javascript', library],
      }[request.url] ?? ['text/plain', ''];
      response.writeHead(body ? 200 : 404, { 'Content-Type': type }).end(body);
    }).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `https://${appHost}:${server.address().port}`;
  }

  async function open(origin = registered) {
    if (page.url() !== origin + '/') {
      await page.goto(origin + '/');
    }
  }

  // post sends JSON by the page's own fetch. It returns {status, body, retryAfter?}, or the name of the error if
  // the page may not read the answer.
  async function post(path, json, { origin } = {}) {
    await open(origin);
    return page.evaluate(async ({ url, json }) => {
      try {
        const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(json) });
        const wait = answer.headers.get('Retry-After'); // null too if it is not exposed
        return { status: answer.status, body: await answer.json(), ...(wait && { retryAfter: Number(wait) }) };
      } catch (error) {
        return error.name;
      }
    }, { url: new URL(path, latchkey.issuer).href, json });
  }

  // call calls a method of auth0.WebAuth, or of its client, in the app at origin. It returns
  // {error, result}: what the app's callback gets.
  async function call(method, argument, { origin } = {}) {
    await open(origin);
    return page.evaluate(({ domain, method, argument }) => new Promise((done) => {
      const auth = new globalThis.auth0.WebAuth({ domain, clientID: 'browser', responseType: 'code', redirectUri: location.href });
      const [name, on] = method.startsWith('client.') ? [method.slice('client.'.length), auth.client] : [method, auth];
      on[name](argument, (error, result) => done(JSON.parse(JSON.stringify({ error, result }))));
    }), { domain: latchkey.domain, method, argument });
  }

  async function ok(method, argument) {
    const { error, result } = await call(method, argument);
    assert.equal(error ?? undefined, undefined, JSON.stringify(error));
    return result;
  }

  async function refused(method, argument, { status, code, description }) {
    const { error } = await call(method, argument);
    assert.ok(error, 'it was not refused');
    assert.equal(error.statusCode, status, JSON.stringify(error));
    assert.equal(error.code, code);
    if (description !== undefined) {
      assert.equal(error.description, description);
    }
  }

  const start = (number) => ok('passwordlessStart', { connection: 'sms', send: 'code', phoneNumber: number });
  const token = (number, otp, more) => ['client.oauthToken', { grantType: passwordless, realm: 'sms', username: number, otp, ...more }];
  const legacy = (number, password, more) => ['client.loginWithResourceOwner', {
    connection: 'sms', username: number, password, scope: 'openid offline_access phone_number', ...more,
  }];

  const refresh = (refreshToken) => ['client.oauthToken', { grantType: 'refresh_token', refreshToken }];
  const signInAnew = { status: 403, code: 'invalid_grant', description: refreshText };

  async function signIn(number) {
    const code = await latchkey.codeFrom(number, () => start(number));
    return ok(...token(number, code, { scope: 'openid offline_access' }));
  }

  it('meets a browser that verifies certificates', async () => {
    const tab = await browser.newPage();
    await assert.rejects(tab.goto(stranger), /ERR_CERT_AUTHORITY_INVALID/);
    await tab.close();
    await assert.rejects(fetch(stranger.replace(appHost, 'localhost')), (error) =>
      /SELF_SIGNED/.test(error.cause.code)); // and so does Node
  });

  it('signs in: passwordlessStart, client.oauthToken, client.userInfo', async () => {
    const number = latchkey.stranger();
    let started;
    const code = await latchkey.codeFrom(number, async () => { started = await start(number); });
    assert.match(started.Id, /./);
    assert.equal(started.phoneNumber, number);
    assert.equal(started.phoneVerified, false);
    const tokens = await ok(...token(number, code, { scope: 'openid profile phone', audience }));
    assert.equal(tokens.tokenType, 'Bearer');
    assert.equal(typeof tokens.expiresIn, 'number');
    assert.ok(tokens.idToken);
    const info = await ok('client.userInfo', tokens.accessToken);
    assert.match(info.sub, /./);
    assert.equal(info.phone_number, number);
    assert.equal(info.phone_number_verified, true);
  });

  it('signs an old app in: client.loginWithResourceOwner', async () => {
    const number = latchkey.stranger();
    const code = await latchkey.codeFrom(number, () => start(number));
    const tokens = await ok(...legacy(number, code, { device: 'a browser' }));
    const claims = claimsOf(tokens.idToken);
    assert.equal(claims.phone_number, number);
    assert.equal((await ok('client.userInfo', tokens.accessToken)).sub, claims.sub);
  });

  it('stays signed in: client.oauthToken with a refresh token', async () => {
    const signedIn = await signIn(latchkey.stranger());
    const refreshed = await ok(...refresh(signedIn.refreshToken));
    assert.notEqual(refreshed.refreshToken, signedIn.refreshToken);
    assert.equal(refreshed.tokenType, 'Bearer');
    assert.equal(typeof refreshed.expiresIn, 'number');
    assert.equal(claimsOf(refreshed.idToken).sub, claimsOf(signedIn.idToken).sub);
    assert.equal((await ok('client.userInfo', refreshed.accessToken)).sub, claimsOf(signedIn.idToken).sub);
    assert.equal((await ok(...refresh(signedIn.refreshToken))).refreshToken, refreshed.refreshToken);
    await refused(...refresh('no refresh token'), signInAnew);
  });

  it('signs out on all devices from the page, by a fetch that needs a preflight', async () => {
    const number = latchkey.stranger();
    const [here, elsewhere] = [await signIn(number), await signIn(number)];
    const somebody = await signIn(latchkey.stranger());
    assert.deepEqual(await post('/oauth/revoke', { client_id: 'browser', token: here.refreshToken, everywhere: true }), { status: 200, body: {} });
    for (const { refreshToken } of [here, elsewhere]) {
      await refused(...refresh(refreshToken), signInAnew);
    }
    await refused('client.userInfo', elsewhere.accessToken, { status: 401, code: 'invalid_token' });
    await ok(...refresh(somebody.refreshToken));
  });

  it('signs out on this device only, unless it is told otherwise', async () => {
    const number = latchkey.stranger();
    const [here, elsewhere] = [await signIn(number), await signIn(number)];
    assert.deepEqual(await post('/oauth/revoke', { client_id: 'browser', token: here.refreshToken }), { status: 200, body: {} });
    await refused(...refresh(here.refreshToken), signInAnew);
    await ok(...refresh(elsewhere.refreshToken));
    const { status, body } = await post('/oauth/revoke', { client_id: 'nobody', token: elsewhere.refreshToken });
    assert.equal(status, 401); // the page can read errors too
    assert.equal(body.error, 'invalid_client');
  });

  it('reads why a code was refused', async () => {
    const number = latchkey.stranger();
    const code = await latchkey.codeFrom(number, () => start(number));
    const wrong = { status: 403, code: 'invalid_grant', description: wrongCodeText };
    await refused(...token(number, otherCode(code)), wrong);
    await refused(...legacy(number, otherCode(code)), { status: 401, code: 'invalid_user_password', description: wrongCodeText });
    for (let guess = 3; guess <= 5; guess++) {
      await refused(...token(number, otherCode(code)), wrong);
    }
    await refused(...token(number, code), { status: 403, code: 'invalid_grant', description: maximumText });
  });

  it('reads why other requests were refused', async () => {
    await refused('passwordlessStart', { connection: 'sms', send: 'code', phoneNumber: '12' }, { status: 400, code: 'bad.phone_number' });
    await refused('passwordlessStart', { connection: 'email', send: 'code', phoneNumber: latchkey.stranger() },
      { status: 400, code: 'bad.connection' });
    await refused(...token(latchkey.stranger(), '123456', { audience: 'https://other.example.com' }), { status: 400, code: 'invalid_target' });
    await refused('client.userInfo', 'not.a.token', { status: 401, code: 'invalid_token' });
  });

  it('reads that it has to wait, and for how long', async () => {
    const number = latchkey.stranger();
    for (let guess = 1; guess <= 3; guess++) { // at two codes, neither of which there is: nobody can tell
      await refused(...token(number, '123456'), { status: 403, code: 'invalid_grant', description: wrongCodeText });
      assertRefused(await latchkey.redeem(number, '123456'), 403, 'invalid_grant', wrongCodeText);
    }
    await refused(...token(number, '123456'), { status: 429, code: 'too_many_attempts' });
    await refused(...legacy(number, '123456'), { status: 429, code: 'too_many_attempts' });
    await refused('passwordlessStart', { connection: 'sms', send: 'code', phoneNumber: number }, { status: 429, code: 'too_many_requests' });
    const answer = await post('/passwordless/start', { client_id: 'browser', connection: 'sms', phone_number: number });
    assert.equal(answer.body.error, 'too_many_requests');
    assert.ok(answer.retryAfter > 0 && answer.retryAfter <= 24 * 3600, answer.retryAfter);
  });

  it('works for pages of registered origins only', async () => {
    const number = latchkey.stranger();
    const { error, result } = await call('passwordlessStart', { connection: 'sms', send: 'code', phoneNumber: number },
      { origin: unregistered });
    assert.equal(result ?? undefined, undefined);
    assert.equal(error.statusCode, undefined, 'the page read an answer that is not for it');
    assert.deepEqual(await latchkey.texts(number), [], 'the preflight let the request through');
    const tokens = await signIn(number);
    assert.equal(await post('/oauth/revoke', { client_id: 'browser', token: tokens.refreshToken }, { origin: unregistered }), 'TypeError');
    await ok(...refresh(tokens.refreshToken)); // nor did this one's
  });
});

function chromiumPath() {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch { /* the next */ }
  }
  throw new Error('no Chromium on PATH: install it (Debian: apt-get install chromium)');
}
