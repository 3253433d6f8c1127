import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModelEndpoint, type ModelEndpoint } from '../../support/model-endpoint.ts';
import { answer } from '../answering.ts';
import { openAgentSession, openAgentWorld, type AgentSession, type AgentWorld } from '../session.ts';

/** What differs between the programs: what their screens say, and who asks what. */
interface Case {
  readonly agent: string;
  readonly trust: RegExp | null;
  readonly trustLabel: RegExp;
  readonly approval: RegExp;
  readonly yes: RegExp;
  readonly no: RegExp;
  /** Its hook says that it is blocked. */
  readonly hookTellsBlocked: boolean;
  /** The form that ends by itself has no shell without a person's word, or refuses it. */
  readonly model?: string;
}

const cases: readonly Case[] = [
  {
    agent: 'claude',
    trust: /❯ No, exit/,
    trustLabel: /^Yes, I trust/,
    approval: /❯ 1\. Yes[\s\S]*Esc to cancel/,
    yes: /^Yes$/,
    no: /^No$/,
    hookTellsBlocked: true,
  },
  {
    agent: 'codex',
    trust: /› 1\. Trust and continue/,
    trustLabel: /^Trust and continue/,
    approval: /› 1\. Yes, proceed[\s\S]*Press enter to confirm/,
    yes: /^Yes, proceed/,
    no: /^No, and tell/,
    hookTellsBlocked: false,
  },
  {
    agent: 'opencode',
    trust: null,
    trustLabel: /./,
    approval: /Permission required[\s\S]*Allow once/,
    yes: /^Allow once$/,
    no: /^Reject$/,
    hookTellsBlocked: true,
  },
  {
    agent: 'qwen',
    trust: null,
    trustLabel: /./,
    approval: /› 1\. Yes, allow once[\s\S]*esc/,
    yes: /^Yes, allow once/,
    no: /^No, suggest/,
    hookTellsBlocked: true,
  },
];

const only = process.env['CIS_AGENT'];
let endpoint: ModelEndpoint;

beforeAll(async () => {
  endpoint = await openModelEndpoint([
    { when: 'second part', turns: [{ kind: 'text', text: 'The second part is done too.' }] },
    {
      when: 'file',
      turns: [
        { kind: 'tool', command: 'touch made-by-agent.txt', delayMs: 300 },
        { kind: 'text', text: 'The file is there now.', paceMs: 20 },
      ],
    },
    { when: 'question', turns: [{ kind: 'text', text: 'The answer is forty-two.' }] },
  ]);
});
afterAll(async () => endpoint[Symbol.asyncDispose]());

for (const one of cases.filter(({ agent }) => only === undefined || only === agent)) {
  describe(one.agent, () => {
    const open = (
      world: AgentWorld,
      prompt: string,
      more: { mode?: 'oneshot'; resume?: string } = {},
    ): Promise<AgentSession> =>
      openAgentSession({
        world,
        agent: one.agent,
        mode: more.mode ?? 'interactive',
        prompt,
        ...(more.resume === undefined ? {} : { resume: more.resume }),
      });

    /** Through the trust question of a first start, where there is one, to the question for permission. */
    const untilAsked = async (session: AgentSession): Promise<void> => {
      if (one.trust !== null) await passTrust(session, one);
      await session.terminal.until((screen) => one.approval.test(screen), 90_000, 'the question for permission');
      const shownAtMs = session.terminal.now();
      if (!one.hookTellsBlocked) return;
      const { atMs, report } = await session.report('blocked', 10_000);
      expect(report).toMatchObject({ block: 'approval', command: 'touch made-by-agent.txt' });
      // The block must be in the log within a second of the screen that shows it.
      expect(atMs - shownAtMs).toBeLessThan(1_000);
    };

    it(`asks ${one.trust === null ? '' : 'for trust at the first start and '}for permission, is approved, and gives its final message`, async () => {
      using world = openAgentWorld(endpoint.url);
      await using session = await open(world, 'Make the file');
      await untilAsked(session);
      expect(existsSync(join(world.project, 'made-by-agent.txt'))).toBe(false);
      await answer(session, one.yes);
      await session.report('turn-done');
      expect(session.finalMessage()).toBe('The file is there now.');
      expect(existsSync(join(world.project, 'made-by-agent.txt'))).toBe(true);
      expect(await session.close()).toBe(0);
    });

    it('is rejected: the command is not run, and the turn is not done', async () => {
      using world = openAgentWorld(endpoint.url);
      await using session = await open(world, 'Make the file');
      await untilAsked(session);
      await answer(session, one.no);
      await session.terminal.until((screen) => !one.approval.test(screen), 10_000, 'the question to go');
      await pass(quietMs);
      expect(existsSync(join(world.project, 'made-by-agent.txt'))).toBe(false);
      expect(
        session.reports.filter(
          ({ report }) => report.kind === 'turn-done' && report.message === 'The file is there now.',
        ),
      ).toEqual([]);
    });

    it('answers and ends in its one-shot form, with its final message', async () => {
      using world = openAgentWorld(endpoint.url);
      await using session = await open(world, 'Answer the question', { mode: 'oneshot' });
      expect((await session.terminal.exited).code).toBe(0);
      expect(session.finalMessage()).toBe('The answer is forty-two.');
      expect(session.reports.filter(({ report }) => report.kind === 'blocked')).toEqual([]);
    });

    it('carries on its conversation in a second session', async () => {
      using world = openAgentWorld(endpoint.url);
      let conversation: string;
      {
        await using first = await open(world, 'Answer the question');
        if (one.trust !== null) await passTrust(first, one);
        await first.report('turn-done', 90_000);
        conversation = first.conversation();
        await first.close();
      }
      await using second = await open(world, 'Do the second part', { resume: conversation });
      await second.report('turn-done', 90_000);
      expect(second.finalMessage()).toBe('The second part is done too.');
      const asked = endpoint.requests.findLast(
        ({ prompt, turn }) =>
          prompt.includes('second part') && turn?.kind === 'text' && turn.text.startsWith('The second'),
      );
      expect(asked?.body).toContain('The answer is forty-two.');
      await second.close();
    });

    it('is killed while it waits, and nothing of it goes on', async () => {
      using world = openAgentWorld(endpoint.url);
      await using session = await open(world, 'Make the file');
      await untilAsked(session);
      process.kill(-session.terminal.pid, 'SIGTERM');
      await session.terminal.exited;
      await expect.poll(() => processesOf(world.home), { timeout: 10_000 }).toEqual([]);
      expect(existsSync(join(world.project, 'made-by-agent.txt'))).toBe(false);
    });
  });
}

/** That something does not happen can only be waited for: the command would run within this time of a yes. */
const quietMs = 3_000;

/** Processes that were started with this home, wherever they went: an agent's background server would be one. */
function processesOf(home: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`HOME=${home}`);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function passTrust(session: AgentSession, { trust, trustLabel }: Case): Promise<void> {
  if (trust === null) return;
  await session.terminal.until((screen) => trust.test(screen), 60_000, 'the trust question');
  await answer(session, trustLabel);
}
