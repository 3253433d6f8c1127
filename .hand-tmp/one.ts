import { sealing, start } from '../test/agents/sealed.ts';
const root = new URL('..', import.meta.url).pathname;
await start(sealing([process.execPath, root + 'node_modules/vitest/vitest.mjs', 'run', '--config', root + 'vitest.agents.config.ts', '-t', process.argv[3]!, '--testTimeout', '90000'], null), { CIS_AGENT: process.argv[2]! });
