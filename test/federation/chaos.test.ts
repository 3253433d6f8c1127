import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { runRound } from './chaos/round.ts';
import { scenarios } from './chaos/scenarios.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

// One round each of those that take no minute; `npm run test:fleet` runs twenty of all.
test.each(scenarios.filter(({ name }) => name === 'node-killed' || name === 'coordinator-killed'))(
  'nothing is lost and nothing is done twice when $what',
  { timeout: 300_000 },
  async (scenario) => {
    const { lost, doubled, disagreements } = await runRound(scenario, 4711, server);
    expect({ lost, doubled, disagreements }).toEqual({ lost: [], doubled: [], disagreements: [] });
  },
);
