import type { LoggedEvent } from '../domain/event.ts';
import type { SessionId } from '../domain/ids.ts';
import { openPicture, type RunPicture } from '../domain/picture.ts';
import type { RunView } from '../domain/ports.ts';
import type { RunSettings } from '../domain/run.ts';
import { unreachable } from '../domain/unreachable.ts';
import { openLive, type LiveScreen } from './live.ts';
import { pictureToJson } from './picture-json.ts';
import { renderPlain, renderPresent } from './plain.ts';
import { renderRunTable } from './run-table.ts';
import { lookFor } from './style.ts';
import { measureColumns } from './task-line.ts';
import { jsonLine, toJson } from './to-json.ts';
import { cut } from './width.ts';

export type ViewKind = 'table' | 'plain' | 'json';

export interface ViewStream extends LiveScreen {
  readonly isTTY?: boolean;
  on(event: 'resize' | 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  off(event: 'resize' | 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

export interface ViewOptions {
  readonly stream: ViewStream;
  readonly kind: ViewKind;
  readonly settings: RunSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The last line on the screen of a session; asked for what is shown, when something is painted. */
  readonly lastLine?: (session: SessionId) => string | null;
  /** Masks secrets in whatever is shown. */
  readonly mask?: (text: string) => string;
  readonly now?: () => number;
}

export interface OpenRunView extends RunView {
  /** Takes what happened before, of a run that is carried on, and shows how it stands now. */
  restore(events: readonly LoggedEvent[]): void;
  readonly picture: RunPicture;
  /** Something that events do not tell has changed: a session's last line. */
  changed(): void;
  /** Shows a question below the run until it is taken away with null. Plain and JSON views say nothing. */
  prompt(text: string | null): void;
}

/** The live table on a terminal that can show it, else plain lines; NDJSON where it was asked for. */
export function chooseViewKind(json: boolean, stream: { readonly isTTY?: boolean }, env: ViewOptions['env']): ViewKind {
  if (json) return 'json';
  return stream.isTTY === true && env['TERM'] !== 'dumb' && (env['TERM'] ?? '') !== '' ? 'table' : 'plain';
}

/** Opens what shows a run while it goes on. A reader that went away is no reason for the run to end: it goes on unseen. */
export function openRunView(options: ViewOptions): OpenRunView {
  const { stream } = options;
  let isGone = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    isGone = true;
  });
  const write = (text: string) => {
    if (!isGone && text !== '') stream.write(text);
  };
  switch (options.kind) {
    case 'table':
      return openTable(options, write);
    case 'plain':
      return openLines(options, {
        events: (events, picture) => {
          const lines = renderPlain(events, picture, lookFor(stream, options.env), options.mask ?? same);
          write(lines.map((line) => `${line}\n`).join(''));
        },
        present: (picture) =>
          write(
            renderPresent(picture, options.mask ?? same)
              .map((line) => `${line}\n`)
              .join(''),
          ),
      });
    case 'json':
      return openLines(options, {
        events: (events) => write(events.map((event) => toJson(event, options.mask ?? same)).join('')),
        present: (picture) => write(jsonLine({ present: pictureToJson(picture) }, options.mask ?? same)),
      });
    default:
      return unreachable(options.kind);
  }
}

const same = (text: string) => text;

function openTable(options: ViewOptions, write: (text: string) => void): OpenRunView {
  const { stream, settings } = options;
  const fold = openPicture(settings);
  const look = lookFor(stream, options.env);
  const [lastLine, mask, now] = [options.lastLine ?? (() => null), options.mask ?? same, options.now ?? Date.now];
  let question: string | null = null;
  let widths = measureColumns(fold.picture, stream.columns ?? 80);
  let measuredFor = stream.columns;
  const render = (columns: number, rows: number) => {
    if (columns !== measuredFor) [widths, measuredFor] = [measureColumns(fold.picture, columns), columns];
    const asked = question === null ? [] : ['', ` ${look.paint(cut(question, columns - 2, look.ellipsis), 'ask')}`];
    const sight = { now: now(), columns, rows: rows - asked.length, look, lastLine, mask, widths };
    return [...renderRunTable(fold.picture, sight), ...asked];
  };
  const screen: LiveScreen = {
    write,
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
    on: (event, listener) => stream.on(event, listener),
    off: (event, listener) => stream.off(event, listener),
  };
  const live = openLive(screen, render, () => isMoving(fold.picture));
  let isOpen = true;
  return {
    picture: fold.picture,
    restore: (events) => {
      for (const event of events) fold.apply(event);
      live.changed();
    },
    show: (events) => {
      for (const event of events) fold.apply(event);
      live.changed();
    },
    changed: () => live.changed(),
    prompt: (text) => {
      question = text;
      live.paint();
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      question = null;
      live.paint();
      live[Symbol.dispose]();
    },
  };
}

/** Whether a clock on the table runs. */
function isMoving(picture: RunPicture): boolean {
  return picture.startedAt !== null && picture.endedAt === null;
}

interface Lines {
  readonly events: (events: readonly LoggedEvent[], picture: RunPicture) => void;
  readonly present: (picture: RunPicture) => void;
}

function openLines(options: ViewOptions, put: Lines): OpenRunView {
  const fold = openPicture(options.settings);
  return {
    picture: fold.picture,
    restore: (events) => {
      for (const event of events) fold.apply(event);
      put.present(fold.picture);
    },
    show: (events) => {
      for (const event of events) fold.apply(event);
      put.events(events, fold.picture);
    },
    changed: () => {},
    prompt: () => {},
    close: () => {},
  };
}
