import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';

// An Authority is a certificate authority of the tests' own, which one browser
// trusts: the browser whose HOME is the authority's folder.
export class Authority {
  constructor() {
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), 'authority-'));
    this.#openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=authority of the tests',
      '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign', '-keyout', 'ca.key', '-out', 'ca.pem');
    const database = path.join(this.home, '.pki', 'nssdb');
    fs.mkdirSync(database, { recursive: true });
    execFileSync('certutil', ['-d', `sql:${database}`, '-N', '--empty-password']);
    execFileSync('certutil', ['-d', `sql:${database}`, '-A', '-t', 'C,,', '-n', 'authority of the tests', '-i', path.join(this.home, 'ca.pem')]);
  }

  // certify makes a key and a certificate for host names.
  certify(...hosts) {
    this.#openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${hosts[0]}`, '-keyout', 'leaf.key', '-out', 'leaf.csr');
    fs.writeFileSync(path.join(this.home, 'leaf.ext'), `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}\n`);
    this.#openssl('x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'leaf.ext', '-out', 'leaf.pem');
    return { key: this.#read('leaf.key'), cert: this.#read('leaf.pem') };
  }

  remove() { fs.rmSync(this.home, { recursive: true, force: true }); }

  #openssl(...args) { execFileSync('openssl', args, { cwd: this.home, stdio: 'ignore' }); }

  #read(name) { return fs.readFileSync(path.join(this.home, name)); }
}

// serveTLS serves what a plain server at port answers over https, at a port of
// its own. answer may take a request over: it returns true when it has answered.
export async function serveTLS(certificate, port, answer = () => false) {
  const front = https.createServer(certificate, (request, response) => {
    if (answer(request, response)) return;
    const inner = http.request({ host: '127.0.0.1', port, method: request.method, path: request.url, headers: request.headers }, (reply) => {
      response.writeHead(reply.statusCode, reply.rawHeaders);
      reply.pipe(response);
    });
    inner.on('error', () => response.destroy());
    request.pipe(inner);
  });
  await new Promise((resolve) => { front.listen(0, '127.0.0.1', resolve); });
  return front;
}
