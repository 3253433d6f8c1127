import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A real agent as it is installed for the rig: pinned, outside the repository. */
export interface Program {
  readonly name: string;
  readonly npm: string;
  readonly version: string;
}

const programs: readonly Program[] = [
  { name: 'claude', npm: '@anthropic-ai/claude-code', version: '2.1.329' },
  { name: 'codex', npm: '@openai/codex', version: '0.169.0' },
  { name: 'opencode', npm: 'opencode-ai', version: '1.18.33' },
  { name: 'qwen', npm: '@qwen-code/qwen-code', version: '0.24.4' },
  { name: 'gemini', npm: '@google/gemini-cli', version: '0.61.0' },
  { name: 'kimi', npm: '@moonshot-ai/kimi-code', version: '2.1.0' },
];

/** Where the programs lie: outside the repository, shared by all checkouts. */
export const cache =
  process.env['CIS_TEST_AGENTS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'cis-test-agents');

/** The directory that holds the program's executable. */
export function binOf({ name, version }: Program): string {
  return join(cache, `${name}-${version}`, 'node_modules', '.bin');
}

export function programNamed(name: string): Program {
  const found = programs.find((program) => program.name === name);
  if (found === undefined) throw new Error(`no such program: ${name}`);
  return found;
}

function isInstalled(program: Program): boolean {
  return existsSync(join(binOf(program), program.name));
}

/** Installs what is missing with npm; 1.5 GB for all of them. */
export function install(program: Program): void {
  if (isInstalled(program)) return;
  const dir = join(cache, `${program.name}-${program.version}`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), '{"private":true}\n');
  const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', `${program.npm}@${program.version}`];
  execFileSync('npm', args, { cwd: dir, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Fake on purpose: it has the shape the programs expect and opens nothing. */
const KEY = 'sk-ant-api03-0000000000000000000000000000000000000000-scripted';

/** Every switch found that keeps a program from talking to anybody but its model. */
const QUIET = {
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  DISABLE_AUTOUPDATER: '1',
  DISABLE_TELEMETRY: '1',
  DISABLE_ERROR_REPORTING: '1',
  OPENCODE_DISABLE_AUTOUPDATE: '1',
  OPENCODE_DISABLE_MODELS_FETCH: '1',
  OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
  OPENCODE_DISABLE_SHARE: '1',
  QWEN_TELEMETRY_ENABLED: '0',
  GEMINI_TELEMETRY_ENABLED: '0',
  KIMI_DISABLE_TELEMETRY: '1',
  DO_NOT_TRACK: '1',
  NO_UPDATE_NOTIFIER: '1',
  npm_config_fetch_retries: '0',
};

/** The variables an agent of the rig starts with. */
export function agentEnv(home: string, url: string, path: string): Record<string, string> {
  return {
    HOME: home,
    USER: 'dev',
    LOGNAME: 'dev',
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    COLORTERM: 'truecolor',
    PATH: path,
    ...QUIET,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: KEY,
    SCRIPTED_KEY: 'scripted-key',
    OPENAI_API_KEY: 'scripted-key',
    OPENAI_BASE_URL: `${url}/v1`,
    OPENAI_MODEL: 'scripted',
    GEMINI_API_KEY: 'scripted-key',
    GOOGLE_GEMINI_BASE_URL: url,
  };
}

/** Writes what a user of each program would have configured: who the model provider is, and that they have used it before. */
export function prepareHome(home: string, url: string): void {
  const write = (path: string, content: unknown): void => {
    const file = join(home, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  };
  write('.claude.json', {
    hasCompletedOnboarding: true,
    customApiKeyResponses: { approved: [KEY.slice(-20)], rejected: [] },
  });
  write('.codex/config.toml', codexConfig(url));
  write('.config/opencode/opencode.json', opencodeConfig(url));
  write('.qwen/settings.json', {
    security: { auth: { selectedType: 'openai' } },
    general: { enableAutoUpdate: false },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
    tools: { useRipgrep: false },
  });
  write('.gemini/settings.json', {
    security: { auth: { selectedType: 'gemini-api-key' }, folderTrust: { enabled: true } },
    general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
  });
  write('.kimi-code/config.toml', kimiConfig(url));
}

function codexConfig(url: string): string {
  return `model = "scripted"
model_provider = "scripted"
check_for_update_on_startup = false
approval_policy = "on-request"
sandbox_mode = "read-only"

[analytics]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = "${url}/v1"
env_key = "SCRIPTED_KEY"
wire_api = "responses"
`;
}

function opencodeConfig(url: string): unknown {
  return {
    $schema: 'https://opencode.ai/config.json',
    autoupdate: false,
    share: 'disabled',
    model: 'scripted/scripted',
    permission: { bash: 'ask', edit: 'ask' },
    provider: {
      scripted: {
        npm: '@ai-sdk/openai-compatible',
        name: 'Scripted',
        options: { baseURL: `${url}/v1`, apiKey: 'scripted-key' },
        models: { scripted: { name: 'Scripted' } },
      },
    },
  };
}

function kimiConfig(url: string): string {
  return `default_model = "scripted"
telemetry = false

[providers.scripted]
type = "openai"
base_url = "${url}/v1"
api_key = "scripted-key"

[models.scripted]
provider = "scripted"
model = "scripted"
max_context_size = 100000
`;
}
