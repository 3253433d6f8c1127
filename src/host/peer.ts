import type { Socket } from 'node:net';
import type { RunId } from '../domain/ids.ts';
import type { Attachment, AttachmentLine } from './attachment.ts';
import { frameBytes, frameJson, openFrameReader, type Frame } from './frame.ts';
import type { Host } from './host.ts';
import type { AttachmentEnd, Message, Request } from './protocol.ts';
import type { Session } from './session.ts';
import type { Env } from './spawn-plan.ts';

/** A client that takes so little of what it asked for is cut off. */
const maxBacklogBytes = 64 * 1024 * 1024;

/** That a session has started decides nothing for an executor: it may come with the session's end, if that is this near. */
const patienceMs = 10;

/** One client's connection, seen from the host. */
export class Peer implements AttachmentLine {
  who = 'a client';
  env: Env = {};
  readonly follows = new Set<RunId>();
  readonly attachments = new Map<number, { readonly attachment: Attachment; readonly session: Session }>();
  readonly #socket: Socket;
  #isGathering = false;
  #patience: NodeJS.Timeout | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  whenDrained(call: () => void): void {
    this.#socket.once('drain', call);
  }

  send(message: Message): void {
    this.#write(frameJson(message), this.#isPatient(message) ? 'soon' : 'this turn');
  }

  /** A client that follows runs drives them; to others the answer is what they wait for. */
  #isPatient(message: Message): boolean {
    if (message.kind === 'journal') return message.entry.event.kind === 'spawned';
    return message.kind === 'reply' && message.ok && message.value.kind === 'spawned' && this.follows.size > 0;
  }

  /** At once: somebody waits for the echo of a key. */
  sendBytes(attachment: number, bytes: Uint8Array): void {
    this.#write(frameBytes(attachment, bytes), 'now');
  }

  sendEnd(attachment: number, reason: AttachmentEnd): void {
    this.send({ kind: 'attachment-ended', attachment, reason });
  }

  /** Ends the connection after what was sent. */
  close(): void {
    this.#socket.end();
  }

  #write(frame: Buffer, when: 'now' | 'this turn' | 'soon'): void {
    if (this.#socket.destroyed) return;
    if (this.#socket.writableLength > maxBacklogBytes) return void this.#socket.destroy();
    if (when === 'soon' && !this.#isGathering) this.#wait(); // what was sent in this turn must not wait along
    else this.#waitNoMore();
    if (when === 'this turn') this.#gather();
    this.#socket.write(frame);
  }

  #wait(): void {
    if (this.#patience !== null) return;
    this.#socket.cork();
    this.#patience = setTimeout(() => this.#waitNoMore(), patienceMs);
  }

  /** What waited goes first. */
  #waitNoMore(): void {
    if (this.#patience === null) return;
    clearTimeout(this.#patience);
    this.#patience = null;
    process.nextTick(() => this.#socket.uncork());
  }

  /** What is sent in one go is one write, which wakes the other side once. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isGathering = false;
      this.#socket.uncork();
    });
  }
}

/** Serves one connection until it ends. */
export function servePeer(host: Host, socket: Socket): void {
  const peer = new Peer(socket);
  const read = openFrameReader();
  host.peers.add(peer);
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of read(chunk)) handleFrame(host, peer, frame);
    } catch (error) {
      console.error(`cis host: ${peer.who}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
      socket.destroy(); // what it says cannot be told apart from here on
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => host.drop(peer));
}

function handleFrame(host: Host, peer: Peer, frame: Frame): void {
  if (frame.kind === 'bytes') return host.type(peer, frame.attachment, frame.bytes);
  const request = JSON.parse(frame.text) as Request;
  const { id } = request;
  try {
    host.handle(peer, request, (reply) => {
      peer.send(
        reply.ok
          ? { kind: 'reply', id, ok: true, value: reply.value }
          : { kind: 'reply', id, ok: false, error: reply.error },
      );
    });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    peer.send({ kind: 'reply', id, ok: false, error: { kind: 'bad-request', detail } });
  }
}
