import { enableCompileCache } from 'node:module';

/**
 * The program that agents call as their hook: `hook-main.js AGENT [PAYLOAD]`. It is not a command of the CLI, because an agent waits
 * for it at every tool: it loads nothing but the socket.
 */
enableCompileCache();
process.on('uncaughtException', () => process.exit(0));
const [agent = '', argument] = process.argv.slice(2);
void import('./hook-client.ts')
  .then(({ runHook }) => runHook({ agent, argument, stdin: process.stdin, env: process.env }))
  .finally(() => process.exit(0));
