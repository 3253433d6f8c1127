import { ok, type Result } from '../domain/result.ts';
import { describeFailure, isPassing, type MatrixFailure } from '../matrix/failure.ts';
import type { RoomTransport } from '../matrix/port.ts';
import { deleteFile, nextFile, type FileRow } from '../storage/bridge.ts';
import { readEncryption } from '../storage/device.ts';
import type { Db } from '../storage/open.ts';
import { putIntoOutbox } from '../storage/outbox.ts';
import { readOutput, readRunSettings } from '../storage/read.ts';
import { inThread, notice, plainMessage } from './message.ts';
import { maySendOutput } from './output-policy.ts';
import { cleanText } from './text.ts';

export interface FilesOptions {
  readonly db: Db;
  readonly transport: RoomTransport;
  readonly broadcastOutput: boolean;
  readonly mask: (text: string) => string;
  readonly now: () => number;
  /** Called when something was put into the outbox. */
  readonly onWritten: () => void;
  /** Called when the upload of one failed and is to be tried again. */
  readonly onTrouble: (failure: MatrixFailure) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface Files {
  /** Begins to upload what waits; one upload at a time. */
  look(): void;
  /** Resolves when nothing is being uploaded any more. */
  settled(): Promise<void>;
}

/** More of one output is nothing to read on a phone; what is kept of an output is no more either. */
const maxFileBytes = 1024 * 1024;

/** Puts long outputs into the threads of their cards, as files. The event and the end of the work for it are one transaction. */
export function openFiles(options: FilesOptions): Files {
  let doing: Promise<void> | null = null;
  return {
    look() {
      doing ??= sendAll(options).finally(() => {
        doing = null;
      });
    },
    async settled() {
      await doing;
    },
  };
}

async function sendAll(options: FilesOptions): Promise<void> {
  for (;;) {
    const row = nextFile(options.db);
    if (row === null || options.signal.aborted) return;
    const content = await makeContent(options, row);
    if (content.ok) settle(options, row, content.value);
    else if (isPassing(content.error)) await options.onTrouble(content.error);
    else {
      const said = `the output of ${row.task} could not be uploaded: ${describeFailure(content.error)}`;
      settle(options, row, notice(plainMessage(said)));
    }
  }
}

type Content = Readonly<Record<string, unknown>>;

/** Null: it may no longer be sent, or is gone. */
async function makeContent(options: FilesOptions, row: FileRow): Promise<Result<Content | null, MatrixFailure>> {
  const { db, transport, broadcastOutput, mask } = options;
  const settings = readRunSettings(db, row.run);
  const output = readOutput(db, row.run, row.task, row.attempt);
  if (settings === null || output === null || row.room === null) return ok(null);
  if (!maySendOutput(settings, broadcastOutput)) return ok(null);
  const limit = await transport.media.maxBytes();
  if (!limit.ok) return limit;
  const bytes = cut(cleanText(mask(output.text)), Math.min(maxFileBytes, limit.value ?? Infinity));
  const name = `${row.task}${row.attempt > 1 ? `-${row.attempt}` : ''}.txt`;
  const encrypt = readEncryption(db, row.room) === 'encrypted';
  const uploaded = await transport.media.upload(bytes, 'text/plain; charset=utf-8', { name, encrypt });
  if (!uploaded.ok) return uploaded;
  const { mxc, file } = uploaded.value;
  return ok({
    msgtype: 'm.file',
    body: name,
    filename: name,
    info: { mimetype: 'text/plain', size: bytes.length },
    ...(file === null ? { url: mxc } : { file }),
    'm.mentions': {},
  });
}

/** The beginning, and that there was more. */
function cut(text: string, most: number): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return bytes;
  const note = `\n… cut here: ${bytes.length} bytes in all\n`;
  const head = bytes.subarray(0, Math.max(0, most - Buffer.byteLength(note)));
  // A character that was cut through is left out.
  return Buffer.from(`${new TextDecoder().decode(head, { stream: true })}${note}`);
}

function settle({ db, now, onWritten }: FilesOptions, { id, room, card }: FileRow, content: Content | null): void {
  const write = db.transaction(() => {
    deleteFile(db, id);
    if (content === null || room === null) return;
    const item = { room, lane: 'detail', type: 'm.room.message', content: inThread(content), refersTo: card } as const;
    putIntoOutbox(db, item, now());
  });
  write.immediate();
  onWritten();
}
