import { appendFileSync } from 'node:fs';

/** `npm run test:rooms` takes the long versions and makes a report of their counts. */
const report = process.env['CIS_ROOMS_REPORT'];

export function amount(short: number, long: number): number {
  return report === undefined ? short : long;
}

/** Keeps what a test counted. */
export function record(what: string, counts: Readonly<Record<string, number | string>>): void {
  const told = Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
  process.stderr.write(`${what}: ${told}\n`);
  if (report !== undefined) appendFileSync(report, `${JSON.stringify({ what, counts: told })}\n`);
}
