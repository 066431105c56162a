// A running bin/latchkey and what tests ask of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { tlsFile } from './certificates.js';

export const binary = resolve(import.meta.dirname, '../../../../bin/latchkey');

export const passwordless = 'http://auth0.com/oauth/grant-type/passwordless/otp';
export const audience = 'https://api.example.com';
export const wrongCodeText = 'Wrong phone number or verification code.';
export const maximumText = "You've reached the maximum number of attempts. Please try to login again.";
export const refreshText = 'Unknown or invalid refresh token.';
export const webSecret = 'web-secret-for-development-only';

const startTimeout = 20_000;

// startLatchkey runs `latchkey dev` with settings laid over its own. Stop it with stop().
export const startLatchkey = (settings = {}) => start({
  name: 'latchkey dev',
  args: (port) => ['dev', '--data', '', '--listen', `127.0.0.1:${port}`],
  ready: 'Latchkey dev is ready',
  settings: () => settings,
});

// serveLatchkey runs `latchkey serve` with all of its settings, over SQLite in a directory of its own and a
// Redis inside, and so with the limits that are the defaults. It has no inbox: texts go to the provider
// of the settings. Stop it with stop().
export const serveLatchkey = (settings) => start({
  name: 'latchkey serve',
  args: () => ['serve'],
  ready: '"msg":"serving"',
  settings: (port) => ({
    listen: `127.0.0.1:${port}`,
    secret_key: randomBytes(32).toString('base64'),
    database: { url: 'sqlite:latchkey.db' },
    ...settings,
  }),
});

async function start(how) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(await freePort(), how);
    } catch (error) {
      // Between our finding a port and its use another may have taken it.
      if (attempt === 3 || !/address already in use/.test(error.message)) {
        throw error;
      }
    }
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

async function launch(port, { name, args, ready: sign, settings }) {
  const dir = mkdtempSync(tlsFile('settings-')); // goes when the run is over
  const config = join(dir, 'settings.yaml');
  writeFileSync(config, JSON.stringify({ // JSON is YAML
    issuer: `https://localhost:${port}/`,
    tls: { cert_file: tlsFile('cert.pem'), key_file: tlsFile('key.pem') },
    admin: { listen: '127.0.0.1:0' },
    ops: { listen: '127.0.0.1:0' },
    ...settings(port),
  }));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LATCHKEY_')));
  const child = spawn(binary, [...args(port), '--config', config], {
    cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = () => child.kill('SIGKILL');
  const terminate = () => process.exit(1); // so that "exit" comes, which it does not by a signal
  process.once('exit', kill).once('SIGTERM', terminate);
  const ended = new Promise((done) => {
    child.once('error', (error) => done(error.message));
    child.once('exit', (code, signal) => done(code ?? signal));
  }).finally(() => process.off('exit', kill).off('SIGTERM', terminate));
  let log = '';
  const ready = new Promise((done) => {
    let out = '';
    const look = () => { if (out.includes(sign) || log.includes(sign)) done('ready'); };
    child.stderr.setEncoding('utf8').on('data', (text) => { log += text; look(); });
    child.stdout.setEncoding('utf8').on('data', (text) => { out += text; look(); });
  });
  const outcome = await Promise.race([ready, ended, sleep(startTimeout, 'timeout', { ref: false })]);
  if (outcome !== 'ready') {
    kill();
    await ended;
    throw new Error(`${name} did not start (${outcome}):\n${log}`);
  }
  return new Latchkey(port, {
    // stop ends it as an operator does, and fails if it ended badly or met an error of its own.
    async stop() {
      child.kill('SIGTERM');
      const code = await Promise.race([ended, sleep(10_000, 'still running', { ref: false })]);
      kill();
      assert.equal(code, 0, `${name} ended with ${code}:\n${log}`);
      const bad = log.split('\n').filter((line) => /level=ERROR|panic/.test(line));
      assert.deepEqual(bad, [], `the log of ${name} has errors in it`);
    },
  });
}

class Latchkey {
  #strangers = 100;

  constructor(port, { stop }) {
    this.issuer = `https://localhost:${port}/`;
    this.domain = `localhost:${port}`;
    this.stop = stop;
  }

  // stranger returns a number that HR does not know and no other test uses: limits count by number.
  stranger() {
    return `+447700900${this.#strangers++}`;
  }

  // send makes a request and reads the answer. json or form is the body; without them it is body.
  async send(method, path, { json, form, body, headers = {} } = {}) {
    if (json !== undefined) {
      [body, headers] = [JSON.stringify(json), { 'Content-Type': 'application/json', ...headers }];
    } else if (form !== undefined) {
      [body, headers] = [
        new URLSearchParams(form).toString(), { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
      ];
    }
    const response = await fetch(new URL(path, this.issuer), { method, headers, body, redirect: 'manual' });
    const text = await response.text();
    let value;
    try {
      value = JSON.parse(text);
    } catch { /* tests that want JSON see undefined, and the text */ }
    return { status: response.status, headers: response.headers, text, json: value };
  }

  get(path, options) { return this.send('GET', path, options); }

  post(path, options) { return this.send('POST', path, options); }

  async texts(number) {
    const { json } = await this.get(`/dev/inbox.json?to=${encodeURIComponent(number)}`);
    return json;
  }

  // codeFrom returns the code of the text that ask makes go out to number.
  async codeFrom(number, ask) {
    const before = (await this.texts(number)).length;
    await ask();
    for (const deadline = Date.now() + 5000; Date.now() < deadline; await sleep(10)) {
      const texts = await this.texts(number);
      if (texts.length > before) {
        assert.match(texts[0].code, /^[0-9]{6}$/);
        return texts[0].code;
      }
    }
    throw new Error(`no text came to ${number}`);
  }

  // code asks for a code as client, {client_id, client_secret?}, and returns it.
  async code(number, client = { client_id: 'app' }) {
    return this.codeFrom(number, async () => {
      const answer = await this.post('/passwordless/start', {
        json: { ...client, connection: 'sms', phone_number: number, send: 'code' },
      });
      assert.equal(answer.status, 200, answer.text);
    });
  }

  // redeem is the passwordless grant; what client holds goes with it.
  redeem(number, otp, client = { client_id: 'app' }) {
    return this.post('/oauth/token', { form: { grant_type: passwordless, realm: 'sms', username: number, otp, ...client } });
  }

  // refreshed returns the tokens that a refresh gives.
  async refreshed(token, options) {
    const answer = await this.refresh(token, options);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  // refresh is the refresh grant.
  refresh(token, { client = { client_id: 'app' }, ...more } = {}) {
    return this.post('/oauth/token', { form: { grant_type: 'refresh_token', refresh_token: token, ...client, ...more } });
  }

  // revoke signs out, and fails if it is not answered as contract 7 wants it.
  async revoke(token, { client = { client_id: 'app' }, ...more } = {}) {
    const answer = await this.post('/oauth/revoke', { json: { token, ...client, ...more } });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(['', '{}'].includes(answer.text.trim()), answer.text);
  }

  // signIn returns the tokens of number, with what more the request is to hold.
  async signIn(number, { client = { client_id: 'app' }, ...more } = {}) {
    const code = await this.code(number, client);
    const answer = await this.redeem(number, code, { ...client, ...more });
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }
}

// claimsOf reads a token without verifying it.
export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

// otherCode returns a code that is not code.
export const otherCode = (code) => code.slice(0, 5) + (Number(code[5]) + 1) % 10;

// assertRetryAfter checks how a refusal says when to come again (contract 16), and returns the seconds.
export function assertRetryAfter(answer) {
  assert.match(answer.headers.get('retry-after') ?? '', /^[1-9][0-9]*$/);
  return Number(answer.headers.get('retry-after'));
}

// assertReadable checks that a page of origin may read an error, and what it needs of its headers (contract 15).
export function assertReadable(answer, origin) {
  assert.equal(answer.headers.get('access-control-allow-origin'), origin);
  assert.match(answer.headers.get('vary') ?? '', /\borigin\b/i);
  const exposed = answer.headers.get('access-control-expose-headers') ?? '';
  assert.match(exposed, /\bwww-authenticate\b/i);
  assert.match(exposed, /\bretry-after\b/i);
}

// assertRefused checks an error as contract 1 wants every one of them. error and description are
// compared where they are given.
export function assertRefused(answer, status, error, description) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json(; ?charset=utf-8)?$/i);
  assert.match(answer.headers.get('cache-control') ?? '', /no-store/);
  assert.deepEqual(Object.keys(answer.json ?? {}).sort(), ['error', 'error_description'], answer.text);
  for (const text of Object.values(answer.json)) {
    assert.equal(typeof text, 'string');
    assert.notEqual(text.trim(), '');
  }
  if (error !== undefined) {
    assert.equal(answer.json.error, error, answer.text);
  }
  if (description !== undefined) {
    assert.equal(answer.json.error_description, description);
  }
}
