// Runs the tests against bin/latchkey, over TLS that is verified: Node takes another authority only
// from NODE_EXTRA_CA_CERTS and only when a process starts, so it is made here, before the tests'.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeCertificates } from './support/certificates.js';
import { binary } from './support/latchkey.js';

if (!existsSync(binary)) {
  console.error(`${binary} is missing: run make test-wire`);
  process.exit(1);
}
const dir = mkdtempSync(join(tmpdir(), 'latchkey-wire-'));
let tests;
process.on('exit', () => {
  try {
    process.kill(-tests.pid, 'SIGKILL');
  } catch { /* nobody is left, or nobody was started */ }
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});
tests = spawn(process.execPath, ['--test', '--test-reporter=dot', ...process.argv.slice(2)], {
  cwd: import.meta.dirname,
  env: { ...process.env, NODE_EXTRA_CA_CERTS: makeCertificates(dir), LATCHKEY_WIRETEST_TLS: dir, TMPDIR: dir },
  stdio: 'inherit',
  detached: true, // a process group of its own, so that a crash of the tests leaves nothing running
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => tests.kill(signal));
}
tests.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
