import { createServer, request, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from './random.ts';

/** A way to a homeserver on which answers are late and some of what is sent arrives a second time, later, as another event. */
export interface Echoes extends AsyncDisposable {
  readonly url: string;
  readonly repeated: () => number;
}

const latestMs = 1500;

export async function openEchoes(target: string, random: Random): Promise<Echoes> {
  let repeated = 0;
  const pending = new Set<Promise<void>>();
  const stop = new AbortController();
  const repeat = async (url: string, headers: IncomingHttpHeaders, body: Buffer): Promise<void> => {
    await pause(random.next() * latestMs * 3, undefined, { signal: stop.signal });
    repeated += 1;
    const answer = await fetch(new URL(`${url}-again${repeated}`, target), {
      method: 'PUT',
      headers: { authorization: String(headers.authorization), 'content-type': 'application/json' },
      body: new Uint8Array(body),
      signal: stop.signal,
    });
    await answer.arrayBuffer();
  };
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', headers, url = '/' } = incoming;
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      if (method === 'PUT' && url.includes('/send') && random.next() < 0.3) {
        const work = repeat(url, headers, body).catch(() => {});
        pending.add(work);
        void work.finally(() => pending.delete(work));
      }
      const lateMs = random.next() < 0.3 ? random.next() * latestMs : 0;
      const upstream = request(new URL(url, target), { method, headers }, (answer) => {
        setTimeout(() => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        }, lateMs);
      });
      upstream.on('error', () => outgoing.destroy());
      upstream.end(body);
      outgoing.on('close', () => upstream.destroy());
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repeated: () => repeated,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(pending);
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}
