import { loadSketches, judgeSketch } from './sketches.ts';
const show = process.argv[2];
const tot: any = {};
for (const s of loadSketches()) {
  const j: any = judgeSketch(s); const blocked = j.state === 'blocked', want = s.point.state === 'blocked';
  const t = tot[s.half] ??= { n: 0, found: 0, kind: 0, calm: 0, fa: 0, lim: 0, limf: 0 };
  if (want) { t.n++; t.found += +blocked; t.kind += +(blocked && j.kind === s.point.kind); if (['login','rate-limit'].includes(s.point.kind!)) { t.lim++; t.limf += +blocked } } else { t.calm++; t.fa += +blocked; }
  if (s.half === show && (blocked !== want || (want && j.kind !== s.point.kind))) console.log(blocked !== want ? (want ? 'MISS ' : 'FALSE') : 'kind ', s.name, s.given.agent ?? '', '| want', s.point.kind ?? s.point.state, '| got', j.state, j.kind ?? '', j.rule, JSON.stringify(j.question ?? j.evidence).slice(0, 90));
}
console.log(tot);
