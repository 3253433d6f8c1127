import { readFileSync } from 'node:fs';
import { judgeScreen } from '../../src/monitor/judge.ts'; import { readInput } from '../../src/monitor/read-input.ts';
const all = JSON.parse(readFileSync(process.argv[2]!, 'utf8')); let n=0,f=0,c=0,fa=0;
for (const o of all) { const j: any = judgeScreen(readInput(o), 0); const b = j.state==='blocked', w=o.want==='blocked'; if (w) {n++; f+=+b} else {c++; fa+=+b}
 if (b!==w) { console.log(w?'MISS ':'FALSE', o.src, o.name, '| got', j.state, j.kind??'', j.rule, JSON.stringify(j.question??'')); if (process.argv[3]) console.log(o.screen.split('\n').slice(-14).map((l:string)=>'      '+l).join('\n')); } }
console.log({n,f,c,fa});
