import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A way to a homeserver that may swallow answers, or be slow. */
export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Of the next event that is sent the server's answer is not passed on; resolves once the server has the event. */
  swallowNextSend(): Promise<void>;
  /** How many requests were answered with 429. */
  refusals(): number;
  /** From now on each answer comes so much later. */
  slow(ms: number): void;
}

export async function openProxy(target: string): Promise<Proxy> {
  let swallow: (() => void) | null = null;
  let refusals = 0;
  let delayMs = 0;
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', headers, url = '/' } = incoming;
    const isSend = method === 'PUT' && url.includes('/send/');
    const upstream = request(new URL(url, target), { method, headers }, (answer) => {
      if (answer.statusCode === 429) refusals += 1;
      const swallowed = isSend ? swallow : null;
      if (swallowed !== null) {
        swallow = null;
        answer.resume().on('end', swallowed);
        return;
      }
      const pass = (): void => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      };
      if (delayMs === 0) pass();
      else setTimeout(pass, delayMs);
    });
    upstream.on('error', () => outgoing.destroy());
    incoming.pipe(upstream);
    outgoing.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    refusals: () => refusals,
    slow(ms) {
      delayMs = ms;
    },
    url: `http://127.0.0.1:${port}`,
    swallowNextSend: () =>
      new Promise((resolve) => {
        swallow = resolve;
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}
