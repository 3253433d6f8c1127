import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dag, Task } from '../../src/domain/dag.ts';
import type { TaskId } from '../../src/domain/ids.ts';
import { buildPrompt, cutBytes, renderFence, type PromptFacts } from '../../src/domain/prompt.ts';

function task(id: string, deps: readonly string[], more: Partial<Task> = {}): Task {
  return { id, name: id, deps, context: 'deps', contextLimit: 10_000, ...more } as unknown as Task;
}

function facts(outputs: Readonly<Record<string, string>>): PromptFacts {
  const none = (): null => null;
  const output = (id: TaskId): { text: string; bytes: number } | null => {
    const text = outputs[id];
    return text === undefined ? null : { text, bytes: new TextEncoder().encode(text).length };
  };
  return { run: 'brave-otter', env: (name) => (name === 'HOME' ? '/h' : null), var: none, output };
}

const tasks = [task('root', []), task('a', ['root']), task('b', ['root']), task('x', ['b', 'a'])];
const dag = { tasks } as unknown as Dag;
const last = task('x', ['b', 'a']);

describe('the prompt of an agent', () => {
  test('shows upstream outputs in the order of deps, fenced', () => {
    const prompt = buildPrompt(
      dag,
      last,
      'Sum up {{ tasks.a.output }} in {{ run.id }} {{ env.HOME }}.',
      facts({ a: 'A', b: 'B\n', root: 'R' }),
    );
    expect(prompt).toMatchInlineSnapshot(`
      "Sum up A in brave-otter /h.

      ## Upstream task outputs

      ### Output from b

      \`\`\`text
      B
      \`\`\`

      ### Output from a

      \`\`\`text
      A
      \`\`\`
      "
    `);
  });

  test('shows ancestors or nothing when asked to, and no section for a task without output', () => {
    const all = buildPrompt(dag, { ...last, context: 'ancestors' }, 'p', facts({ a: 'A', root: 'R' }));
    expect([...all.matchAll(/### Output from (\w+)/g)].map((match) => match[1])).toEqual(['a', 'root']);
    expect(buildPrompt(dag, { ...last, context: 'none' }, 'p', facts({ a: 'A' }))).toBe('p');
    expect(buildPrompt(dag, last, 'p', facts({}))).toBe('p');
  });

  test('an output that looks like a template is not filled in', () => {
    const prompt = buildPrompt(
      dag,
      { ...last, context: 'none' },
      '{{ tasks.a.output }}',
      facts({ a: '{{ tasks.b.output }}', b: 'secret' }),
    );
    expect(prompt).toBe('{{ tasks.b.output }}');
  });

  test('a cut output says how much is shown and where the rest is', () => {
    const prompt = buildPrompt(dag, { ...last, contextLimit: 4 }, 'p', facts({ a: 'aéé' }));
    expect(prompt).toContain('```text\naé\n```');
    expect(prompt).toContain(
      '(cut: the first 3 of 5 bytes are shown; all that was kept: `cis dag output brave-otter a`)',
    );
  });
});

test('files that a task left are named in a fence, also where it said nothing', () => {
  const files = (id: TaskId): string[] => (id === 'b' ? ['/w/a.txt', '/w/``` b.txt'] : []);
  const prompt = buildPrompt(dag, last, 'p', { ...facts({}), files });
  expect(prompt).toBe(
    'p\n\n## Upstream task outputs\n\n### Output from b\n\nFiles it left:\n\n````text\n/w/a.txt\n/w/``` b.txt\n````\n',
  );
});

test('upstream text cannot close its fence', () => {
  const text = fc
    .array(fc.constantFrom('`', '``', '```', '````````', '\n', '\r', ' ', '~~~', 'x', '\u2028'))
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, (inside) => {
      const lines = renderFence(inside).split(/\r\n|\r|\n/u);
      const fence = /^`+/u.exec(lines[0] ?? '')?.[0] ?? '';
      const closing = lines.findIndex(
        (line, index) => index > 0 && /^ {0,3}`+\s*$/u.test(line) && line.trim().length >= fence.length,
      );
      expect(closing).toBe(lines.length - 1);
    }),
  );
});

test('a cut is the longest beginning of whole characters that fits', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(60), (text, limit) => {
      const cut = cutBytes(text, limit);
      const bytes = (part: string): number => new TextEncoder().encode(part).length;
      expect(text.startsWith(cut.text)).toBe(true);
      expect(cut.bytes).toBe(bytes(cut.text));
      expect(cut.bytes).toBeLessThanOrEqual(limit);
      const next = Array.from(text.slice(cut.text.length))[0];
      if (next !== undefined) expect(cut.bytes + bytes(next)).toBeGreaterThan(limit);
    }),
  );
});
