import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../src/matrix/http.ts';
import { startTestHomeserver, type TestHomeserver } from './homeserver.ts';
import { openLink, type Link } from './link.ts';

/** Two real homeservers that federate over loopback, and the link between them. */
export interface FederatedPair extends AsyncDisposable {
  readonly servers: readonly [TestHomeserver, TestHomeserver];
  /** Neither server reaches the other until it is healed; their own clients reach them all the same. */
  cut(): void;
  heal(): void;
}

/**
 * A server is found by the port in its name, with certificates of a test authority. That port is a link, so that it can be cut. The
 * waits after a failed delivery are short: by default an outage of minutes is followed by ten more.
 */
export async function startFederatedPair(extra: JsonObject = {}): Promise<FederatedPair> {
  const dir = mkdtempSync(join(tmpdir(), 'cis-authority-'));
  const authority = makeAuthority(dir);
  const [a, b] = await Promise.all([startServer(authority, extra), startServer(authority, extra)]);
  return {
    servers: [a.server, b.server],
    cut() {
      for (const { link } of [a, b]) link.cut();
    },
    heal() {
      for (const { link } of [a, b]) link.heal();
    },
    async [Symbol.asyncDispose]() {
      for (const { server, link } of [a, b]) {
        await server[Symbol.asyncDispose]();
        await link[Symbol.asyncDispose]();
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startServer(authority: Authority, extra: JsonObject): Promise<{ server: TestHomeserver; link: Link }> {
  const [clientPort = 0, federationPort = 0] = await freePorts(2);
  const link = await openLink(() => federationPort);
  const http = { bind_addresses: ['127.0.0.1'], type: 'http', x_forwarded: false };
  const server = await startTestHomeserver(
    {
      server_name: `localhost:${link.port}`,
      listeners: [
        { ...http, port: clientPort, tls: false, resources: [{ names: ['client', 'media'], compress: false }] },
        { ...http, port: federationPort, tls: true, resources: [{ names: ['federation', 'media'], compress: false }] },
      ],
      tls_certificate_path: authority.certificate,
      tls_private_key_path: authority.key,
      federation_custom_ca_list: [authority.ca],
      federation_domain_whitelist: null,
      ip_range_whitelist: ['127.0.0.0/8', '::1/128'],
      federation: {
        destination_min_retry_interval: '1s',
        destination_max_retry_interval: '5s',
        client_timeout: '10s',
        max_long_retries: 3,
        max_long_retry_delay: '2s',
      },
      rc_federation: { window_size: 1000, sleep_limit: 10_000, sleep_delay: 1, reject_limit: 10_000, concurrent: 20 },
      ...extra,
    },
    clientPort,
  );
  return { server, link };
}

interface Authority {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** One certificate for `localhost` serves both servers. */
function makeAuthority(dir: string): Authority {
  const at = (name: string): string => join(dir, name);
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca = ['-x509', '-days', '2', '-subj', '/CN=cis test authority', '-addext', 'keyUsage=critical,keyCertSign'];
  openssl('req', ...ca, ...newKey, '-keyout', at('ca.key'), '-out', at('ca.pem'));
  openssl('req', '-subj', '/CN=localhost', ...newKey, '-keyout', at('localhost.key'), '-out', at('localhost.csr'));
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signing = [
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    at('names'),
  ];
  openssl('x509', '-req', '-in', at('localhost.csr'), ...signing, '-out', at('localhost.pem'));
  return { ca: at('ca.pem'), certificate: at('localhost.pem'), key: at('localhost.key') };
}

/** Ports nobody listens on at this moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => void server.close(resolve))));
  return ports;
}
