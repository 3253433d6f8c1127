import { sealing, start } from '../test/agents/sealed.ts';
await start(sealing([process.execPath, new URL('./serve.ts', import.meta.url).pathname], null));
