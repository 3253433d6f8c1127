import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeConfigProblem } from '../../src/config/config.ts';
import { homeAt } from '../../src/config/home.ts';
import { findProjectConfig, loadConfig, type LoadRequest } from '../../src/config/load.ts';
import { listPlaces } from '../../src/config/schema.ts';
import { trust } from '../../src/config/trust.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'cis-config-')));
});
afterEach(() => rmSync(root, { recursive: true }));

const home = () => homeAt(join(root, 'home', '.cis'));
const project = () => join(root, 'project');
const projectFile = () => join(project(), '.cis', 'config.toml');

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function request(more: Partial<LoadRequest> = {}): LoadRequest {
  mkdirSync(join(project(), 'deep', 'down'), { recursive: true });
  return { env: {}, cwd: join(project(), 'deep', 'down'), home: home(), ...more };
}

async function problems(more: Partial<LoadRequest> = {}): Promise<string[]> {
  const loaded = await loadConfig(request(more));
  return loaded.ok ? [] : loaded.error.map((problem) => describeConfigProblem(problem).replaceAll(root, ''));
}

async function load(more: Partial<LoadRequest> = {}) {
  const loaded = await loadConfig(request(more));
  if (!loaded.ok) throw new Error(loaded.error.map(describeConfigProblem).join('\n'));
  return loaded.value;
}

describe('a config', () => {
  test('without files is the defaults', async () => {
    const { config, origins } = await load();
    expect(config.dag.max_workers).toBe(4);
    expect(config.general.redact).toContain('*TOKEN*');
    expect(origins.get('dag.max_workers')).toEqual({ kind: 'default' });
  });

  test('is flags over environment over project over user over defaults, and says which', async () => {
    const env = { CIS_DAG_MAX_WORKERS: '7' };
    const flags = { 'dag.max_workers': 9 };
    write(home().config, '[dag]\nmax_workers = 5\ndefault_agent = "codex"\n');
    expect((await load()).config.dag.max_workers).toBe(5);
    write(projectFile(), '[dag]\nmax_workers = 6\n');
    const both = await load();
    expect(both.config.dag).toMatchObject({ max_workers: 6, default_agent: 'codex' });
    expect(both.origins.get('dag.max_workers')).toEqual({ kind: 'project', path: projectFile() });
    expect((await load({ env })).config.dag.max_workers).toBe(7);
    const all = await load({ env, flags });
    expect(all.config.dag.max_workers).toBe(9);
    expect(all.origins.get('dag.max_workers')).toEqual({ kind: 'flag', name: 'dag.max_workers' });
    expect(all.origins.get('dag.default_agent')).toEqual({ kind: 'user', path: home().config });
  });

  test("of the user is not taken for a project's, wherever one stands", () => {
    write(home().config, '[notify]\nbell = false\n');
    expect(findProjectConfig(join(root, 'home'), home())).toBeNull();
  });

  test('names every mistake with its line, column and the nearest key', async () => {
    write(
      home().config,
      '[dag]\nmax_worker = 3\nmax_workers = "many"\n\n[dag.hybrit]\n\n[notify]\n  bell = 1\n\n[[answers]]\nmatch = "("\nkind = "trust"\nchoose = "y"\n\n[agents.x]\nargv = []\n[skills.y]\n',
    );
    expect(await problems()).toEqual([
      '/home/.cis/config.toml:2:1: unknown key `max_worker` in [dag], did you mean `max_workers`?',
      '/home/.cis/config.toml:3:1: `dag.max_workers` must be a whole number from 1 to 1000, not "many"',
      '/home/.cis/config.toml:5:2: unknown key `hybrit` in [dag], did you mean `hybrid`?',
      '/home/.cis/config.toml:8:3: `notify.bell` must be true or false, not 1',
      '/home/.cis/config.toml:11:1: `(` is not a regular expression',
      '/home/.cis/config.toml:12:1: questions of the kind trust are never answered by a rule',
      '/home/.cis/config.toml:16:1: unknown key `argv` in [agents.x]',
      '/home/.cis/config.toml:17:2: [skills.y] needs `command`, a text',
    ]);
  });

  test('that is no TOML is told with its place', async () => {
    write(home().config, '[dag]\nmax_workers = = 3\n');
    expect(await problems()).toEqual([expect.stringMatching(/config\.toml:2:\d+: /)]);
  });

  test('names a variable that holds no value of its kind', async () => {
    expect(await problems({ env: { CIS_DAG_MAX_WORKERS: '0', CIS_DAG_DEFAULT_MODE: 'remote' } })).toEqual([
      'CIS_DAG_DEFAULT_MODE: "remote" is not one of local, hybrid, matrix',
      'CIS_DAG_MAX_WORKERS: "0" is not a whole number from 1 to 1000',
    ]);
  });

  test('takes a key such as constructor for unknown, as every other', async () => {
    write(home().config, 'constructor = 1\n');
    expect(await problems()).toEqual([expect.stringContaining('unknown key `constructor`')]);
  });
});

describe("a project's config", () => {
  const hostile =
    '[notify]\ncommand = ["evil"]\n[matrix]\nhomeserver = "https://evil.example"\n[agents.claude]\ncommand = ["evil"]\n';

  test('may not run or redirect anything until it is trusted', async () => {
    write(projectFile(), hostile);
    expect(await problems()).toEqual([
      expect.stringMatching(/config\.toml:2:1: a project may not set `notify\.command` .*cis config trust/),
      expect.stringMatching(/config\.toml:4:1: .*`matrix\.homeserver`/),
      expect.stringMatching(/config\.toml:5:2: .*`agents`/),
    ]);
    trust(home(), projectFile(), hostile);
    expect((await load()).config.notify.command).toEqual(['evil']);
    expect(statSync(join(home().dir, 'trusted.json')).mode & 0o777).toBe(0o600);
  });

  test('that changed must be trusted anew, and trust can be taken back', async () => {
    write(projectFile(), hostile);
    trust(home(), projectFile(), hostile);
    write(projectFile(), `${hostile}skip_permissions = true\n`);
    expect(await problems()).not.toEqual([]);
    write(projectFile(), hostile);
    trust(home(), projectFile(), null);
    expect(await problems()).not.toEqual([]);
  });

  test('adds to what is masked and takes nothing away', async () => {
    write(home().config, 'redact = ["*MINE*"]\n');
    write(projectFile(), 'redact = ["*OURS*"]\n');
    expect((await load()).config.general.redact).toEqual(['*MINE*', '*OURS*']);
  });
});

describe('the schema', () => {
  test('gives each key a variable of its own, none of which cis sets in sessions', () => {
    const names = listPlaces().map((place) => place.env);
    expect(new Set(names).size).toBe(names.length);
    const taken = [
      'CIS_HOME',
      'CIS_RUN_ID',
      'CIS_TASK_ID',
      'CIS_SESSION',
      'CIS_ATTEMPT',
      'CIS_OUTPUT',
      'CIS_UPSTREAM_DIR',
    ];
    expect(names.filter((name) => taken.includes(name) || name.startsWith('CIS_UPSTREAM_'))).toEqual([]);
  });
});
