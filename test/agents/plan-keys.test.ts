import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planKeys, type KeyStep } from '../../src/agents/plan-keys.ts';
import type { Answering } from '../../src/agents/profile.ts';
import { knownProfiles } from '../../src/agents/profiles.ts';
import type { Block } from '../../src/domain/block.ts';
import type { BlockId } from '../../src/domain/ids.ts';

const vertical: Answering = { axis: 'vertical', digits: true, showsSelection: true };

function block(labels: readonly string[], selected: number | null, keys: readonly string[] = []): Block {
  const choices = labels.map((label, index) => ({ label, ...(keys[index] === undefined ? {} : { key: keys[index] }) }));
  const id = 'r:t!1' as BlockId;
  return { id, kind: 'approval', question: 'Proceed?', choices, selected, since: 0, fingerprint: 'f', rule: 'test' };
}

function steps(answering: Answering, of: Block, index: number): readonly KeyStep[] {
  const planned = planKeys(answering, of, { kind: 'choose', index });
  if (!planned.ok) throw new Error(planned.error);
  return planned.value;
}

describe('the keys of an answer', () => {
  it("walk to the trust of Claude Code's first start, whose preselected answer ends the program", () => {
    expect(steps(vertical, block(['No, exit', 'Yes, I trust this folder'], 0), 1)).toEqual([
      { keys: '\u001b[B', then: { kind: 'selected', index: 1 } },
      { keys: '\r', then: { kind: 'gone' } },
    ]);
  });

  it('move along a row of buttons, each step seen by its colours', () => {
    const opencode = knownProfiles.find(({ name }) => name === 'opencode')?.answering ?? vertical;
    expect(steps(opencode, block(['Allow once', 'Allow always', 'Reject'], 0), 2)).toEqual([
      { keys: '\u001b[C', then: { kind: 'changed' } },
      { keys: '\u001b[C', then: { kind: 'changed' } },
      { keys: '\r', then: { kind: 'gone' } },
    ]);
  });

  it('are a digit only where no selection is seen and digits are known to be taken', () => {
    const numbered = block(['Yes', 'No'], null, ['1', '2']);
    expect(steps(vertical, numbered, 1)).toEqual([{ keys: '2', then: { kind: 'gone' } }]);
    expect(planKeys({ ...vertical, digits: false }, numbered, { kind: 'choose', index: 1 })).toMatchObject({
      ok: false,
    });
  });

  it('are refused for a choice that is not there', () => {
    expect(planKeys(vertical, block(['Yes'], 0), { kind: 'choose', index: 1 })).toMatchObject({ ok: false });
  });

  it('show words before they send them, and send no control characters', () => {
    const question = { ...block([], null), kind: 'question' as const };
    expect(planKeys(vertical, question, { kind: 'text', text: 'use the staging database' })).toEqual({
      ok: true,
      value: [
        { keys: 'use the staging database', then: { kind: 'shows', text: 'use the staging data' } },
        { keys: '\r', then: { kind: 'gone' } },
      ],
    });
    expect(planKeys(vertical, question, { kind: 'text', text: 'a\u001b[A\r' })).toMatchObject({ ok: false });
  });

  it('end on the chosen row from wherever they begin, and confirm once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(), fc.nat(), (size, a, b) => {
        const [from, to] = [a % size, b % size];
        const planned = steps(
          vertical,
          block(
            Array.from({ length: size }, (_, n) => `choice ${n}`),
            from,
          ),
          to,
        );
        let at = from;
        for (const step of planned.slice(0, -1)) {
          at += step.keys === '\u001b[B' ? 1 : -1;
          expect(step.then).toEqual({ kind: 'selected', index: at });
        }
        expect(at).toBe(to);
        expect(planned.filter(({ keys }) => keys.includes('\r'))).toHaveLength(1);
        expect(planned.at(-1)).toEqual({ keys: '\r', then: { kind: 'gone' } });
      }),
    );
  });
});
