import { loadSketches } from './sketches.ts';
import { lookAt } from '../../src/monitor/look.ts'; import { findDialog } from '../../src/monitor/dialog.ts'; import { readInput } from '../../src/monitor/read-input.ts'; import { judgeScreen } from '../../src/monitor/judge.ts';
for (const s of loadSketches()) if (process.argv.slice(2).includes(s.name)) { if (s.half !== 'written') { console.log('kept!'); continue; } const l = lookAt(readInput(s.given)); console.log(s.given.screen); console.log(JSON.stringify(findDialog(l), null, 1)); console.log(judgeScreen(readInput(s.given), 0)); }
