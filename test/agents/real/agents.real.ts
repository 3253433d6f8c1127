import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CisEvent } from '../../../src/domain/event.ts';
import { killHost, type Watched } from '../../executor/support.ts';
import { openModelEndpoint, type ModelEndpoint } from '../../support/model-endpoint.ts';
import {
  agentProcesses,
  choose,
  openAgentWorld,
  pidOf,
  tell,
  untilBlocked,
  untilWordsWanted,
  type AgentWorld,
  type AskedTask,
} from '../agent-world.ts';

/** What differs between the programs: what their choices say, and who asks what. */
interface Case {
  readonly agent: string;
  /** Of its trust question, where it has one. */
  readonly trust: RegExp | null;
  readonly yes: RegExp;
  readonly no: RegExp;
  /** Its hook says that it is blocked. */
  readonly hookTellsBlocked: boolean;
}

const cases: readonly Case[] = [
  { agent: 'claude', trust: /^Yes, I trust/, yes: /^Yes$/, no: /^No\b/, hookTellsBlocked: true },
  { agent: 'codex', trust: /^Trust and continue/, yes: /^Yes, proceed/, no: /^No\b/, hookTellsBlocked: false },
  { agent: 'opencode', trust: null, yes: /^Allow once$/, no: /^Reject$/, hookTellsBlocked: true },
  { agent: 'qwen', trust: null, yes: /^Yes, allow once/, no: /^No\b/, hookTellsBlocked: true },
];

const only = process.env['CIS_AGENT'];
/** Where the time of each block is noted, one JSON value per line. */
const delays = process.env['CIS_DELAYS'];
let endpoint: ModelEndpoint;

beforeAll(async () => {
  endpoint = await openModelEndpoint([
    { when: 'second part', turns: [{ kind: 'text', text: 'The second part is done too.' }] },
    {
      when: 'Make the file',
      turns: [
        { kind: 'tool', command: 'touch made-by-agent.txt', delayMs: 300 },
        { kind: 'text', text: 'The file is there now.', paceMs: 20 },
      ],
    },
    { when: 'question', turns: [{ kind: 'text', text: 'The answer is forty-two.' }] },
  ]);
});
afterAll(async () => endpoint[Symbol.asyncDispose]());

const make = '[[dag.tasks]]\nid = "make"\nprompt = "Make the file"\n';
const after = `[[dag.tasks]]\nid = "after"\ndeps = ["make"]\ncommand = "printf 'got: %s' {{ tasks.make.output }}"\n`;

for (const one of cases.filter(({ agent }) => only === undefined || only === agent)) {
  const { agent } = one;
  describe(agent, () => {
    /** Through the trust question of a first start, where there is one. */
    const passTrust = async (at: AgentWorld, run: Watched, task: string): Promise<number> => {
      if (one.trust === null) return 1;
      const asked = await untilBlocked(at, run, task);
      expect(asked.block.kind).toBe('trust');
      expectInTime(asked, 'trust', false);
      await choose(at, task, asked.block, one.trust);
      return 2;
    };

    /** What is asked about the command; it is in the log in time. */
    const untilAsked = async (at: AgentWorld, run: Watched): Promise<AskedTask> => {
      const nth = await passTrust(at, run, 'make');
      const asked = await untilBlocked(at, run, 'make', nth);
      expect(asked.block).toMatchObject({ kind: 'approval', command: 'touch made-by-agent.txt' });
      expect(isMade(at)).toBe(false);
      expectInTime(asked, 'approval', one.hookTellsBlocked);
      return asked;
    };

    const expectInTime = ({ delayMs }: AskedTask, what: string, hooked: boolean): void => {
      if (delays !== undefined) appendFileSync(delays, `${JSON.stringify({ agent, what, hooked, delayMs })}\n`);
      expect(delayMs).toBeLessThan(hooked ? 1_000 : 2_000);
    };

    it('is trusted and approved by `dag unblock`, and its final message is the output that the next task gets', async () => {
      await using at = openAgentWorld(agent, endpoint.url);
      const run = at.run(make + after);
      const { block } = await untilAsked(at, run);
      await choose(at, 'make', block, one.yes);
      expect((await run.ended).code).toBe(0);
      expect(isMade(at)).toBe(true);
      expect(await at.output('make')).toBe('The file is there now.');
      expect(await at.output('after')).toBe('got: The file is there now.');
    });

    it('is rejected: the command is not run, it asks what to do instead, and is told so by `dag unblock --text`', async () => {
      await using at = openAgentWorld(agent, endpoint.url);
      const run = at.run(make + after);
      const { block } = await untilAsked(at, run);
      await choose(at, 'make', block, one.no);
      const words = await untilWordsWanted(run);
      expect(words.block).toMatchObject({ kind: 'question', input: 'line' });
      expect(isMade(at)).toBe(false);
      expect(at.states()).toEqual({ make: 'blocked', after: 'pending' });
      await tell(at, 'make', 'Answer the question');
      expect((await run.ended).code).toBe(0);
      expect(await at.output('after')).toBe('got: The answer is forty-two.');
      expect(isMade(at)).toBe(false);
    });

    it('answers and ends in its one-shot form', async () => {
      await using at = openAgentWorld(agent, endpoint.url);
      const run = at.run(`[[dag.tasks]]\nid = "make"\nprompt = "Answer the question"\n${after}`, 'oneshot');
      expect(await run.ended).toMatchObject({ code: 0 });
      expect(run.events.filter(({ kind }) => kind === 'task-blocked')).toEqual([]);
      expect(await at.output('after')).toBe('got: The answer is forty-two.');
    });

    it('carries on its conversation in a second task', async () => {
      await using at = openAgentWorld(agent, endpoint.url);
      const run = at.run(
        `[[dag.tasks]]\nid = "make"\nprompt = "Answer the question"\nkeep_agent = true\n` +
          `[[dag.tasks]]\nid = "next"\ndeps = ["make"]\nprompt = "Do the second part"\nreuse_agent = "make"\ncontext = "none"\n`,
      );
      await passTrust(at, run, 'make');
      expect(await run.ended).toMatchObject({ code: 0 });
      expect(await at.output('next')).toBe('The second part is done too.');
      const asked = endpoint.requests.findLast(
        ({ turn }) => turn?.kind === 'text' && turn.text.startsWith('The second'),
      );
      expect(asked?.body).toContain('The answer is forty-two.');
    });

    it('is killed while it waits: the block ends and the task has failed', async () => {
      await using at = openAgentWorld(agent, endpoint.url);
      const run = at.run(make);
      await untilAsked(at, run);
      process.kill(-pidOf(run, 'make'), 'SIGKILL');
      expect((await run.ended).code).toBe(1);
      expect(at.states()).toEqual({ make: 'failed' });
      const late = await at.world.cis(['dag', 'unblock', 'real:make', '--choose', '1'], { env: at.env });
      expect(late.code).not.toBe(0);
      await expect.poll(() => agentProcesses(agent, at), { timeout: 10_000 }).toEqual([]);
      expect(isMade(at)).toBe(false);
    });

    it('loses its host while it waits: nobody knows how it ended, so a person decides', async () => {
      await using at = openAgentWorld(agent, endpoint.url);
      const run = at.run(make);
      await untilAsked(at, run);
      killHost(at.world);
      await run.waitFor((event: CisEvent) => event.kind === 'task-undecided');
      expect(at.states()).toEqual({ make: 'undecided' });
      await expect.poll(() => agentProcesses(agent, at), { timeout: 10_000 }).toEqual([]);
      expect(isMade(at)).toBe(false);
    });
  });
}

function isMade({ project }: AgentWorld): boolean {
  return existsSync(join(project, 'made-by-agent.txt'));
}
