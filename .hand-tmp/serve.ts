import { mkdirSync, writeFileSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { openModelEndpoint } from '../test/support/model-endpoint.ts';
import { agentEnv, binOf, prepareHome, programNamed } from '../test/agents/programs.ts';
const endpoint = await openModelEndpoint([
  { when: 'instead', turns: [{ kind: 'text', text: 'As you wish: nothing was changed.' }] },
  { when: 'left half', turns: [{ kind: 'tool', command: 'echo left > left.txt', delayMs: 300 }, { kind: 'text', text: 'The left half is written.', paceMs: 20 }] },
  { when: 'right half', turns: [{ kind: 'tool', command: 'echo right > right.txt', delayMs: 300 }, { kind: 'text', text: 'The right half is written.', paceMs: 20 }] },
  { when: 'Review', turns: [{ kind: 'tool', command: 'ls -l', delayMs: 300 }, { kind: 'text', text: 'Both halves are there.', paceMs: 20 }] },
  { when: 'Plan', turns: [{ kind: 'tool', command: 'touch plan.md', delayMs: 300 }, { kind: 'text', text: 'Left first, then right.', paceMs: 20 }] },
  { when: '', turns: [{ kind: 'text', text: 'All done.' }] },
]);
const home = '/home/dev';
prepareHome(home, endpoint.url);
const path = ['claude','codex','opencode','qwen'].map(n => binOf(programNamed(n))).join(':') + `:${process.cwd()}/bin:${process.cwd()}/node_modules/.bin:/usr/local/bin:/usr/bin:/bin`;
const env = { ...agentEnv(home, endpoint.url, path), CIS_HOME: '/home/dev/.cis', LANG: 'C.UTF-8' };
const project = '/home/dev/project';
writeFileSync(`${project}/README.md`, 'A project\n');
const git = (...a: string[]) => execFileSync('git', ['-c','user.name=dev','-c','user.email=dev@example.com', ...a], { cwd: project, env: { ...env } });
git('init', '-q', '-b', 'main'); git('config','user.name','dev'); git('config','user.email','dev@example.com'); git('add', '.'); git('commit', '-qm', 'first');
writeFileSync(`${project}/dirty.txt`, 'not committed\n');
writeFileSync('/home/dev/hand.toml', `[dag]
name = "hand"
max_workers = 4
work_dir = "${project}"
[[dag.tasks]]
id = "plan"
agent = "codex"
prompt = "Plan the work"
[[dag.tasks]]
id = "left"
deps = ["plan"]
agent = "claude"
workspace = "worktree"
prompt = "Write the left half"
[[dag.tasks]]
id = "right"
deps = ["plan"]
agent = "opencode"
workspace = "worktree"
prompt = "Write the right half"
[[dag.tasks]]
id = "review"
deps = ["left", "right"]
agent = "qwen"
workspace = "worktree"
prompt = "Review both"
[[dag.tasks]]
id = "notes"
deps = ["plan"]
agent = "claude"
mode = "oneshot"
prompt = "Sum up"
[[dag.tasks]]
id = "end"
deps = ["review", "notes"]
command = "printf 'review said: %s' {{ tasks.review.output }}"
`);
writeFileSync('/home/dev/env.sh', Object.entries(env).map(([k, v]) => `export ${k}='${v}'`).join('\n') + `\ncd ${project}\nPS1='$ '\n`);
spawnSync('tmux', ['-L', 'hand', '-f', '/dev/null', 'new-session', '-d', '-s', 'a', '-x', '120', '-y', '30', 'bash --rcfile /home/dev/env.sh -i'], { env: { ...env, TERM: 'xterm-256color' }, stdio: 'inherit' });
spawnSync('tmux', ['-L', 'hand', 'new-session', '-d', '-s', 'b', '-x', '110', '-y', '30', 'bash --rcfile /home/dev/env.sh -i'], { env: { ...env, TERM: 'xterm-256color' }, stdio: 'inherit' });
console.log('ready', endpoint.url);
