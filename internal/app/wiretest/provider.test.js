// A server whose provider refuses it, in earnest and not in dev: contract 3, sms_provider_error.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { assertReadable, assertRefused, audience, serveLatchkey } from './support/latchkey.js';

const origin = 'https://app.example.com';
const patience = 10_000;

describe('latchkey serve, over Twilio', () => {
  const provider = { texts: [], refuses: false };
  let latchkey;

  before(async () => {
    provider.server = createServer((request, response) => twilio(provider, request, response)).listen(0, '127.0.0.1');
    await once(provider.server, 'listening');
    latchkey = await serveLatchkey({
      phone: { allow_fictional: true },
      clients: { app: { audiences: [audience], origins: [origin] } },
      sms: {
        countries: ['GB'],
        twilio: {
          base_url: `http://127.0.0.1:${provider.server.address().port}`,
          account_sid: `AC${'a'.repeat(32)}`, api_key_sid: `SK${'b'.repeat(32)}`, api_key_secret: 'c'.repeat(32),
          messaging_service_sid: `MG${'d'.repeat(32)}`,
        },
      },
    });
  });
  after(async () => {
    await latchkey?.stop();
    provider.server?.close();
    provider.server?.closeAllConnections();
  });

  const start = (number) => latchkey.post('/passwordless/start', {
    json: { client_id: 'app', connection: 'sms', phone_number: number }, headers: { Origin: origin },
  });
  const until = async (what, look) => {
    for (const deadline = Date.now() + patience; Date.now() < deadline; await sleep(20)) {
      const found = await look();
      if (found) return found;
    }
    throw new Error(`${what}: not within ${patience / 1000} s`);
  };

  it('sends a code that signs in, and says so when the provider refuses all texts', async () => {
    const number = latchkey.stranger();
    assert.equal((await start(number)).status, 200);
    const { To: to, Body: body } = await until('a text', () => provider.texts[0]);
    assert.equal(to, number);
    const [code] = body.match(/^[0-9]{6}\b/);

    provider.refuses = true;
    const unlucky = latchkey.stranger();
    assert.equal((await start(unlucky)).status, 200); // it goes out after the answer, and then we know
    const refused = await until('sms_provider_error', async () => {
      const answer = await start(latchkey.stranger());
      return answer.status !== 200 && answer;
    });
    for (const answer of [refused, await start(number), await start('+4915112345678')]) { // whatever the number (U4)
      assertRefused(answer, 400, 'sms_provider_error');
      assertReadable(answer, origin);
    }

    const tokens = await latchkey.redeem(number, code); // a code that is there works
    assert.equal(tokens.status, 200, tokens.text);
  });
});

// twilio answers as Twilio does that takes a text, or whose key has been withdrawn.
async function twilio(provider, request, response) {
  let body = '';
  for await (const part of request.setEncoding('utf8')) {
    body += part;
  }
  const [status, answer] = provider.refuses
    ? [401, { code: 20003, message: 'Authenticate', more_info: 'https://www.twilio.com/docs/errors/20003', status: 401 }]
    : [201, { sid: `SM${String(provider.texts.push(Object.fromEntries(new URLSearchParams(body)))).padStart(32, '0')}`, status: 'accepted' }];
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
}
