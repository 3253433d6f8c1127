import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkCommand, renderCommand, renderPrelude, wrapScript } from '../../src/domain/command.ts';
import type { Dag, Task } from '../../src/domain/dag.ts';
import type { TaskId } from '../../src/domain/ids.ts';
import type { Names, TemplateValues } from '../../src/domain/template.ts';

const names: Names = { task: (id) => (id === 'a' || id === 'b' ? [id as TaskId] : null), vars: null, matrix: [] };
const task = { id: 'x', name: 'x' } as unknown as Task;
const dag = { tasks: [{ id: 'a' }, { id: 'b' }, task] } as unknown as Dag;
const A = '{{ tasks.a.output }}';

function values(outputs: Readonly<Record<string, string>>): TemplateValues {
  const none = (): null => null;
  return { run: 'r1', task, output: (id) => outputs[id] ?? null, env: none, var: none, matrix: none };
}

function script(command: string): string {
  const rendered = renderCommand(dag, task, command, '/bin/sh', values({ a: 'v', b: 'w' }));
  return rendered.ok ? rendered.value.script : `ERROR ${rendered.error}`;
}

describe('where a placeholder may stand', () => {
  test.each([
    [`echo ${A}`, 'echo "${__cis_1}"'],
    [`echo "x ${A} y"`, 'echo "x ${__cis_1} y"'],
    [`echo 'x ${A} y'`, `echo 'x '"\${__cis_1}"' y'`],
    [`X=${A} cmd; Y=1 cmd ${A}`, 'X="${__cis_1}" cmd; Y=1 cmd "${__cis_2}"'],
    [`if [ ${A} = "${A}" ]; then echo ${A}; fi`, 'if [ "${__cis_1}" = "${__cis_2}" ]; then echo "${__cis_3}"; fi'],
    [`cat <<E\nit's "\nE\necho ${A}`, `cat <<E\nit's "\nE\necho "\${__cis_1}"`],
    [`cat <<'E' | cat\n$(\nE\necho ${A}`, `cat <<'E' | cat\n$(\nE\necho "\${__cis_1}"`],
    [`echo it\\'s ${A}`, `echo it\\'s "\${__cis_1}"`],
    [`echo "$(date) \`id\` \${x:-"}"} ${A}"`, 'echo "$(date) `id` ${x:-"}"} ${__cis_1}"'],
    [`echo a#b ${A} # it's over\necho ${A}`, `echo a#b "\${__cis_1}" # it's over\necho "\${__cis_2}"`],
    [`f() { echo ${A}; }; f`, 'f() { echo "${__cis_1}"; }; f'],
    [
      `for i in ${A} b; do echo ${A} > ${A}; done`,
      'for i in "${__cis_1}" b; do echo "${__cis_2}" > "${__cis_3}"; done',
    ],
    [`case ${A} in x) echo ${A};; esac`, 'case "${__cis_1}" in x) echo "${__cis_2}";; esac'],
    [`docker ps --format '{{.Names}}' ${A}`, `docker ps --format '{{.Names}}' "\${__cis_1}"`],
    [`echo '{{ "{{" }}json .}}' ${A}`, `echo '{{json .}}' "\${__cis_1}"`],
    [`env FOO=${A} printenv FOO`, 'env FOO="${__cis_1}" printenv FOO'],
    [`python3 -c 'import sys; print(sys.argv)' ${A}`, `python3 -c 'import sys; print(sys.argv)' "\${__cis_1}"`],
    [`a=(x ${A}); echo ${A}`, 'a=(x "${__cis_1}"); echo "${__cis_2}"'],
    [`sort <<< ${A}`, 'sort <<< "${__cis_1}"'],
    [`export V=${A}`, 'export V="${__cis_1}"'],
    ['echo {{ run.id }}', 'echo "${__cis_1}"'],
  ])('%s', (command, expected) => {
    expect(script(command)).toBe(expected);
  });

  test.each([
    [`cat <<E\n${A}\nE`, 'in a heredoc'],
    [`cat <<'E'\n${A}\nE\n`, 'in a heredoc'],
    [`cat <<-E\n\t${A}\n\tE\n`, 'in a heredoc'],
    [`cat <<E\na\\\nE\n${A}\nE\n`, 'in a heredoc'],
    [`x=$(echo ${A})`, '$( … )'],
    [`echo "$(echo "${A}")"`, '$( … )'],
    ['echo `echo ' + A + '`', 'backticks'],
    ['echo "`echo ' + A + '`"', 'backticks'],
    [`true # ${A}`, 'comment'],
    [`eval ${A}`, '`eval`'],
    [`eval "echo ${A}"`, '`eval`'],
    [`sh -c 'echo ${A}'`, '`sh -c`'],
    [`/bin/bash -euc "echo ${A}"`, '`bash -c`'],
    [`sudo -u me bash -c ${A}`, '`bash -c`'],
    [`find . -exec sh -c ${A} \\;`, '`sh -c`'],
    [`xargs -I {} ${A}`, "command's name"],
    [A, "command's name"],
    [`true && ${A}`, "command's name"],
    [`./${A} x`, "command's name"],
    [`exec ${A}`, "command's name"],
    [`timeout -k 5 10 ${A}`, "command's name"],
    [`if ! ${A}; then :; fi`, "command's name"],
    [`f() { ${A}; }`, "command's name"],
    [`function f { ${A}; }`, "command's name"],
    [`echo $((1 + ${A}))`, '$(( … ))'],
    [`(( ${A} ))`, '(( … ))'],
    [`[[ ${A} -eq 1 ]]`, '[[ … ]]'],
    [`a[${A}]=1`, 'array index'],
    [`unset ${A}`, '`unset`'],
    [`printf -v ${A} x`, 'name of a variable'],
    ['echo ${x:-' + A + '}', '${ … }'],
    [`echo $'${A}'`, "$'…'"],
    [`echo \\${A}`, 'backslash'],
    [`echo "\\${A}"`, 'backslash'],
    [`echo $${A}`, 'right after a $'],
    [`cat <(echo ${A})`, '<( … )'],
    [`trap ${A} EXIT`, '`trap`'],
    [`awk '{ print "${A}" }'`, '`awk`'],
    [`python3 -c 'print("${A}")'`, '`python3`'],
    [`ssh host ${A}`, '`ssh`'],
    [`echo "$(case x in x) echo y;; esac)" ${A}`, 'case'],
    [`echo $'it\\'s' ${A}`, "$'…'"],
    [`${'$('.repeat(200)} ${A}`, 'nested so deeply'],
  ])('%s is refused and says why', (command, why) => {
    const [problem] = checkCommand(command, '/bin/sh', names);
    expect(problem?.message).toContain(why);
    expect(problem?.hint).toContain('"$CIS_UPSTREAM_DIR/a"');
    expect(command.slice(problem?.start, (problem?.start ?? 0) + (problem?.length ?? 0))).toBe(A);
  });

  test('a shell that is not POSIX takes nothing', () => {
    expect(checkCommand(`print(${A})`, '/usr/bin/python3', names)[0]?.message).toContain('not a POSIX shell');
    expect(checkCommand('print(1)', '/usr/bin/python3', names)).toEqual([]);
  });

  test('an unknown placeholder says what is known', () => {
    expect(checkCommand('echo {{ tasks.zz.output }}', 'sh', names)[0]?.message).toBe('there is no task `zz`');
    expect(checkCommand('echo {{ foo }}', 'sh', names)[0]?.hint).toContain('tasks.ID.output');
  });

  test('more than 100 KiB and NUL bytes point to the file', () => {
    for (const value of ['x'.repeat(102_401), 'é'.repeat(60_000), 'a\0b']) {
      const rendered = renderCommand(dag, task, `echo ${A}`, 'sh', values({ a: value }));
      expect(rendered.ok ? '' : rendered.error).toContain('read the file "$CIS_UPSTREAM_DIR/a"');
    }
    expect(renderCommand(dag, task, `echo ${A}`, 'sh', values({ a: 'x'.repeat(102_400) })).ok).toBe(true);
  });
});

describe.each(['dash', 'bash'])('under %s', (shell) => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'cis-command-'));
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
  });

  function run(command: string, outputs: Readonly<Record<string, string>>): string {
    const rendered = renderCommand(dag, task, command, shell, values(outputs));
    if (!rendered.ok) throw new Error(rendered.error);
    const prelude = join(dir, 'prelude');
    writeFileSync(prelude, renderPrelude(rendered.value.variables), { mode: 0o600 });
    const env = { PATH: process.env['PATH'], CIS_PRELUDE: prelude, LC_ALL: 'C.UTF-8', __cis_1: 'inherited' };
    try {
      const args = ['-c', wrapScript(rendered.value)];
      return execFileSync(shell, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] }).toString('utf8');
    } finally {
      rmSync(prelude);
    }
  }

  const hostile = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ...[
            '$(touch owned)',
            '`touch owned`',
            '; touch owned;',
            '\ntouch owned\n',
            "'; touch owned; '",
            '"; touch owned; "',
          ],
          ...[
            "'",
            '"',
            '\\',
            '\n',
            '$',
            '`',
            '}',
            '{',
            '*',
            '~',
            '!',
            '#',
            ' ',
            '\t',
            '\r',
            '\u001b',
            '&',
            '|',
            '<',
            '>',
            '%s',
            '-n',
            '\\n',
          ],
          ...['${IFS}', '$((1))', 'a[$(touch owned)]', 'é', '\u0081', '😀', '\u0001', '\u0088', '{{ tasks.b.output }}'],
        ),
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: 'binary-ascii' }),
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('').replaceAll('\0', ''));

  test('hostile outputs arrive byte for byte in all three contexts and never run', () => {
    fc.assert(
      fc.property(hostile, hostile, (a, b) => {
        const command = `set -eu; printf '%s\\0' ${A} "<${A}>" '<${A}>' x${A}{{ tasks['b'].output }} "'{{ tasks.b.output }}'" '"{{ tasks.b.output }}"'`;
        const expected = [a, `<${a}>`, `<${a}>`, `x${a}${b}`, `'${b}'`, `"${b}"`].map((one) => `${one}\0`).join('');
        expect(run(command, { a, b })).toBe(expected);
        expect(readdirSync(dir)).toEqual([]);
      }),
      { numRuns: 120 },
    );
  });

  test('nothing of the script changes: $0, $#, line numbers, exit code, environment', () => {
    const seen = run(
      `echo "$0|$#|$?|$LINENO|\${CIS_PRELUDE-unset}" ${A}\necho "$LINENO"; env | grep -c __cis || true`,
      { a: 'v' },
    );
    const plain = execFileSync(shell, ['-c', 'echo "$0|$#|$?|$LINENO|unset" v\necho "$LINENO"; echo 0']).toString(
      'utf8',
    );
    expect(seen).toBe(plain);
    expect(() => run(`exit 7 # x\necho ${A}`, { a: 'v' })).toThrow(expect.objectContaining({ status: 7 }));
    expect(() => run(`set -e\nfalse\necho ${A}`, { a: 'v' })).toThrow(expect.objectContaining({ status: 1 }));
  });

  test('a prelude that is not there runs nothing', () => {
    const text = wrapScript({ script: 'touch owned', variables: [{ name: '__cis_1', value: '' }] });
    const env = { PATH: process.env['PATH'], CIS_PRELUDE: join(dir, 'missing') };
    expect(() => execFileSync(shell, ['-c', text], { cwd: dir, env, stdio: 'pipe' })).toThrow();
    expect(readdirSync(dir)).toEqual([]);
  });
});
