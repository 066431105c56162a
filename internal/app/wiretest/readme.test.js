// The README's code for a service, run as it is printed: contract 10 and 12.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { audience, claimsOf, startLatchkey } from './support/latchkey.js';
import { runForToken, serviceCode } from './support/readme.js';

const [employee, colleague] = ['+447700900001', '+447700900002'];

describe("the README's code for a service", () => {
  let latchkey;
  before(async () => { latchkey = await startLatchkey(); });
  after(() => latchkey.stop());

  const { verify, look } = serviceCode();
  const run = (code, token) => runForToken(code, token, latchkey.issuer);
  const signIn = (number, more) => latchkey.signIn(number, { scope: 'openid offline_access', audience, ...more });

  it('takes the access token of a person with the permission, status claim and all', async () => {
    const { access_token: token } = await signIn(employee);
    assert.ok(claimsOf(token).status.status_list);
    await run(verify, token);
  });

  it('refuses a person without the permission', async () => {
    const { access_token: token } = await signIn(latchkey.stranger());
    await assert.rejects(run(verify, token), { message: '403' });
  });

  it('refuses what is no access token for this service', async () => {
    const { id_token: idToken, access_token: token } = await signIn(employee);
    const { access_token: userinfoOnly } = await signIn(employee, { audience: '' });
    await assert.rejects(run(verify, idToken), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED', claim: 'typ' });
    await assert.rejects(run(verify, userinfoOnly), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED', claim: 'aud' });
    const [header, , signature] = token.split('.');
    const promoted = Buffer.from(JSON.stringify({ ...claimsOf(token), tier: 'admin' })).toString('base64url');
    await assert.rejects(run(verify, [header, promoted, signature].join('.')), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
  });

  it("refuses a person's tokens by the status list within 5 seconds of their revocation, and nobody else's", async () => {
    const [mine, theirs] = [[], []]; // several, since places are at random
    for (let i = 0; i < 4; i++) {
      mine.push(await signIn(employee));
      theirs.push(await signIn(colleague));
    }
    await run(verify + look, mine[0].access_token);
    await latchkey.revoke(mine[0].refresh_token, { everywhere: true });
    const deadline = Date.now() + 5000;
    for (const { access_token: token } of mine) {
      let thrown;
      while (thrown === undefined && Date.now() < deadline) {
        await run(verify + look, token).then(() => sleep(50), (error) => { thrown = error; });
      }
      assert.equal(thrown?.message, '401', thrown);
      await run(verify, token); // which is why there is the list
    }
    for (const { access_token: token } of theirs) {
      await run(verify + look, token);
    }
  });
});
