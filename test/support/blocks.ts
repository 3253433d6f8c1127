import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, Block } from '../../src/domain/block.ts';
import type { SessionId } from '../../src/domain/ids.ts';
import type { HostConnection } from '../../src/host/port.ts';
import type { SpawnRequest } from '../../src/host/protocol.ts';
import { ask, fixture, followRun, spawnRequest, type Followed } from './sessions.ts';
import type { World } from './world.ts';

export interface Question {
  readonly question: string;
  readonly choices: readonly string[];
  readonly selected?: number;
}

/** A session that asks, its journal and its host. */
export interface AskingSession extends Disposable {
  readonly host: HostConnection;
  readonly run: Followed;
  readonly pid: number;
  /** The block of this number, past or to come. */
  block(number: number): Promise<Block>;
  answer(block: Block, answer: Answer, by?: string): ReturnType<HostConnection['request']>;
  /** What the menu program was told so far. */
  chosen(): string[];
}

/** Starts a program that asks as `r:a`. */
export async function startAsking(
  world: World,
  file: string,
  args: readonly string[],
  changes: Partial<SpawnRequest> = {},
): Promise<AskingSession> {
  const host = await world.host();
  const run = await followRun(host, 'r');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '', ...world.env } });
  const spawned = await ask(host, { kind: 'spawn', spawn: spawnRequest(world, 'r:a', '', { file, args, ...changes }) });
  if (spawned.kind !== 'spawned') throw new Error(spawned.kind);
  return {
    host,
    run,
    pid: spawned.pid,
    async block(number) {
      const entry = await run.waitFor(({ event }) => event.kind === 'blocked' && event.block.id === `r:a!${number}`);
      if (entry.event.kind !== 'blocked') throw new Error('unreachable');
      return entry.event.block;
    },
    answer: (block, answer, by = 'ada') =>
      host.request({
        kind: 'answer',
        block: block.id,
        fingerprint: block.fingerprint,
        answer,
        source: { by, via: 'terminal' },
      }),
    chosen() {
      const path = join(world.dir, 'chosen');
      return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
    },
    [Symbol.dispose]: () => host[Symbol.dispose](),
  };
}

export function startMenu(
  world: World,
  questions: readonly Question[],
  more: object = {},
  changes: Partial<SpawnRequest> = {},
) {
  return startAsking(world, 'node', [fixture('asks-menu.mjs'), JSON.stringify({ questions, ...more })], changes);
}

export const sessionA = 'r:a' as SessionId;
