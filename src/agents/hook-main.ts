import { enableCompileCache } from 'node:module';

/**
 * The program that agents call as their hook: `hook-main.js AGENT [PAYLOAD]`. It is not a command of the CLI, because an agent waits
 * for it at every tool: it loads nothing but the socket.
 */
enableCompileCache();
process.on('uncaughtException', () => process.exit(0));
const { runHook } = await import('./hook-client.ts');
const [agent = '', argument] = process.argv.slice(2);
await runHook({ agent, argument, stdin: process.stdin, env: process.env });
process.exit(0);
