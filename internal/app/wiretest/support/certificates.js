// The certificates of one run, in a directory of its own. Nothing trusts them but these tests.
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// The host that stands for an app's: the browser is told where it is. A name and not 127.0.0.1,
// so that the app's site is another than the server's.
export const appHost = 'app.example.test';

// makeCertificates makes an authority, a certificate by it, and one that nobody vouches for. It
// returns the authority's file.
export function makeCertificates(dir) {
  const at = (name) => join(dir, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const names = `subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:${appHost}`;
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=latchkey wire test authority',
    '-addext', 'keyUsage=critical,keyCertSign', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  openssl('req', ...key, '-subj', '/CN=localhost', '-keyout', at('key.pem'), '-out', at('request.pem'));
  writeFileSync(at('extensions'), `${names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n`);
  openssl('x509', '-req', '-in', at('request.pem'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial',
    '-days', '2', '-extfile', at('extensions'), '-out', at('cert.pem'));
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=localhost', '-addext', names,
    '-keyout', at('stranger.key'), '-out', at('stranger.pem'));
  return at('ca.pem');
}

function openssl(...args) {
  try {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    if (error.code === 'ENOENT') {
      throw new Error('openssl is missing: install it (Debian: apt-get install openssl)');
    }
    throw new Error(`openssl ${args[0]}: ${error.stderr}`);
  }
}

const dir = process.env.LATCHKEY_WIRETEST_TLS;

// tlsFile is the path of one of the run's files.
export function tlsFile(name) {
  if (!dir) {
    throw new Error('there is no certificate: run these tests by npm test, or make test-wire');
  }
  return join(dir, name);
}

// tlsOptions are a server's, with the certificate that is trusted or with the stranger's.
export function tlsOptions({ trusted = true } = {}) {
  const [cert, key] = trusted ? ['cert.pem', 'key.pem'] : ['stranger.pem', 'stranger.key'];
  return { cert: readFileSync(tlsFile(cert)), key: readFileSync(tlsFile(key)) };
}

// spkiDigest names our key for --ignore-certificate-errors-spki-list: Chromium then takes it, and
// no other.
export function spkiDigest() {
  const { publicKey } = new X509Certificate(readFileSync(tlsFile('cert.pem')));
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
}
