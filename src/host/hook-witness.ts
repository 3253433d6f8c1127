import type { BlockKind } from '../domain/block.ts';
import type { HookReport } from '../domain/hook.ts';
import { fingerprintOf } from '../monitor/fingerprint.ts';
import type { HookWitness } from '../monitor/verdict.ts';

/** Returns what an agent's hook says as a witness of the monitor; null when it says nothing of work or waiting. */
export function witnessOf(report: HookReport, at: number): HookWitness | null {
  switch (report.kind) {
    case 'started':
    case 'ended':
      return null;
    case 'working':
      return { state: 'working', at, rule: 'hook-working' };
    case 'turn-done':
      return { state: 'done', at, rule: 'hook-turn-done' };
    case 'blocked':
      return asks(
        report.block,
        report.question,
        report.command,
        at,
        report.block === 'question' && report.tool === null,
      );
    case 'turn-failed':
      return asks(report.block, report.reason, null, at);
  }
}

/** `takesWords`: no tool asks, so the answer goes into the program's input line. */
function asks(kind: BlockKind, question: string, command: string | null, at: number, takesWords = false): HookWitness {
  const rule = `hook-${kind}`;
  const input = takesWords ? ({ input: 'line' } as const) : {};
  const asked = { question, choices: [], ...(command === null ? {} : { command }), ...input };
  const fingerprint = fingerprintOf(asked);
  const judged = { ...asked, state: 'blocked', kind, selected: null, strength: 'strong', fingerprint, rule } as const;
  return { state: 'blocked', at, rule, asked: { ...judged, evidence: question } };
}
