import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { homeAt } from '../../src/config/home.ts';
import { loadConfig } from '../../src/config/load.ts';
import { deriveTier, parseLabels } from '../../src/domain/fleet/derive.ts';
import type { Machine } from '../../src/domain/fleet/facts.ts';
import { detect } from '../../src/federation/detect/detect.ts';
import { parseApple, parseNvidia, parseRocm } from '../../src/federation/detect/gpus.ts';
import { diskFreeMb, measureLoad } from '../../src/federation/detect/machine.ts';
import { detectModels } from '../../src/federation/detect/models.ts';

let dir: string;
const servers: Server[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cis-detect-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(dir, { recursive: true });
});

/** Puts a real program of that name on the path. */
function program(name: string, script: string): void {
  writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, name), 0o755);
}

/** A server that answers one path with JSON, and everything else with 404; a silent one answers nothing at all. */
function serve(path: string, answer: unknown, silent = false): Promise<string> {
  const server = createServer((request, response) => {
    if (silent) return;
    response.statusCode = request.url === path ? 200 : 404;
    response.end(JSON.stringify(answer));
  });
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

async function config(env: Record<string, string> = {}) {
  const loaded = await loadConfig({ env, cwd: dir, home: homeAt(join(dir, 'home')) });
  if (!loaded.ok) throw new Error('a mistake in the config');
  return loaded.value.config;
}

describe('GPUs', () => {
  test('of NVIDIA are read from what nvidia-smi prints', () => {
    expect(parseNvidia('NVIDIA A100-SXM4-40GB, 40960\nNVIDIA GB10, [N/A]\n')).toEqual([
      { vendor: 'nvidia', name: 'NVIDIA A100-SXM4-40GB', memoryMb: 40_960 },
      { vendor: 'nvidia', name: 'NVIDIA GB10', memoryMb: null },
    ]);
    expect(parseNvidia('No devices were found\n')).toEqual([]);
  });

  test('of AMD are read from what rocm-smi prints', () => {
    const printed = {
      card0: { 'Card Series': 'AMD Radeon RX 7900 XTX', 'VRAM Total Memory (B)': '25753026560' },
      system: { 'Driver version': '6.7.0' },
    };
    expect(parseRocm(JSON.stringify(printed))).toEqual([
      { vendor: 'amd', name: 'AMD Radeon RX 7900 XTX', memoryMb: 24_560 },
    ]);
    expect(parseRocm('WARNING: no devices')).toEqual([]);
  });

  test('of Apple are read from what system_profiler prints, those of others in a Mac are not', () => {
    const printed = {
      SPDisplaysDataType: [
        { sppci_model: 'Apple M3 Max', spdisplays_vendor: 'sppci_vendor_Apple' },
        { sppci_model: 'Intel UHD Graphics 630', spdisplays_vendor: 'Intel' },
      ],
    };
    expect(parseApple(JSON.stringify(printed))).toEqual([{ vendor: 'apple', name: 'Apple M3 Max', memoryMb: null }]);
  });
});

describe('model servers', () => {
  test('that answer are listed with their models; what is silent, absent or another program is not', async () => {
    const ollama = await serve('/api/tags', { models: [{ name: 'llama3:latest' }, { name: 'qwen3:8b' }] });
    const studio = await serve('/v1/models', { data: [{ id: 'phi-4' }] });
    const own = await serve('/v1/models', { data: [{ id: 'mine' }] });
    const other = await serve('/v1/models', { hello: 'world' });
    const silent = await serve('/', {}, true);
    const found = await detectModels(
      [`${own}/v1/`, other, silent, 'http://127.0.0.1:9'],
      [
        { kind: 'ollama', url: ollama },
        { kind: 'lmstudio', url: studio },
      ],
    );
    expect(found).toEqual([
      { kind: 'ollama', url: ollama, models: ['llama3:latest', 'qwen3:8b'] },
      { kind: 'lmstudio', url: studio, models: ['phi-4'] },
      { kind: 'openai-compatible', url: `${own}/v1`, models: ['mine'] },
    ]);
  });
});

describe('a machine', () => {
  test('is told with its agents, GPUs, models, programs, labels and tier', async () => {
    program('nvidia-smi', 'echo "NVIDIA A100, 40960"');
    program('claude', 'echo "2.0.1 (Claude Code)"');
    program('git', 'exit 0');
    const ollama = await serve('/api/tags', { models: [{ name: 'llama3:latest' }] });
    const found = await detect({
      config: await config({
        CIS_NODE_NAME: 'workshop',
        CIS_NODE_LABELS: 'site=lab,os=special',
        CIS_NODE_MAX_SESSIONS: '3',
      }),
      env: { PATH: dir, HOME: dir, ANTHROPIC_API_KEY: 'x' },
      version: '0.1.0',
      usualModels: [{ kind: 'ollama', url: ollama }],
    });
    expect(found).toMatchObject({
      ok: true,
      value: {
        node: 'workshop',
        machine: { os: process.platform, arch: process.arch, gpus: [{ vendor: 'nvidia', memoryMb: 40_960 }] },
        models: [{ kind: 'ollama', models: ['llama3:latest'] }],
        labels: { os: 'special', arch: process.arch, gpu: 'nvidia', site: 'lab' },
        tier: 2,
        slots: 3,
      },
    });
    if (!found.ok) return;
    expect(found.value.agents.map(({ name }) => name)).toContain('claude');
    expect(found.value.agents.find(({ name }) => name === 'claude')).toEqual({
      name: 'claude',
      version: '2.0.1 (Claude Code)',
      login: 'yes',
    });
    for (const word of ['claude', 'git', 'gpu', 'nvidia', 'ollama']) expect(found.value.features).toContain(word);
    expect(JSON.stringify(found.value)).not.toContain('ANTHROPIC');
    expect(found.value.machine.cores).toBeGreaterThan(0);
    expect(found.value.machine.memoryMb).toBeGreaterThan(0);
  });

  test('offers only the agents of its config, and its tier is what the config says', async () => {
    program('claude', 'echo 2.0.1');
    const look = async (env: Record<string, string>) =>
      detect({ config: await config(env), env: { PATH: dir, HOME: dir }, version: '0.1.0', usualModels: [] });
    const only = await look({ CIS_NODE_AGENTS: 'codex', CIS_NODE_TIER: '0' });
    expect(only).toMatchObject({ ok: true, value: { agents: [], tier: 0 } });
    expect(await look({ CIS_NODE_AGENTS: 'clod' })).toEqual({
      ok: false,
      error: 'node.agents names clod, which is no agent that cis knows',
    });
    expect(await look({ CIS_NODE_LABELS: '=x' })).toMatchObject({ ok: false });
  });

  test('has a driver that hangs: it is not waited for', async () => {
    program('nvidia-smi', 'exec sleep 600');
    const env = { PATH: `${dir}:/usr/bin:/bin`, HOME: dir };
    const found = await detect({
      config: await config({ CIS_NODE_AGENTS: 'shell' }),
      env,
      version: '0',
      usualModels: [],
    });
    expect(found).toMatchObject({ ok: true, value: { machine: { gpus: [] } } });
  });

  test('measures itself, also where nothing was written yet', () => {
    const load = measureLoad(join(dir, 'not', 'there', 'yet'), 2);
    expect(load.slotsFree).toBe(2);
    expect(load.memoryFreeMb).toBeGreaterThan(0);
    expect(load.diskFreeMb).toBe(diskFreeMb(dir));
    expect(Number.isInteger(load.loadCenti)).toBe(true);
  });

  test('has the tier of what it can do', () => {
    const machine = (more: Partial<Machine> = {}): Machine => {
      return { os: 'linux', arch: 'x64', cores: 8, memoryMb: 16_384, gpus: [], ...more };
    };
    expect(deriveTier(machine(), [])).toBe(1);
    expect(deriveTier(machine({ cores: 2, memoryMb: 2_048 }), [])).toBe(0);
    expect(deriveTier(machine({ gpus: [{ vendor: 'nvidia', name: 'A', memoryMb: 24_000 }] }), [])).toBe(2);
    expect(deriveTier(machine({ gpus: [{ vendor: 'nvidia', name: 'A', memoryMb: 2_000 }] }), [])).toBe(1);
    expect(deriveTier(machine({ gpus: [{ vendor: 'apple', name: 'M', memoryMb: null }] }), [])).toBe(2);
    expect(deriveTier(machine(), [{ kind: 'ollama', url: 'x', models: ['m'] }])).toBe(2);
    expect(deriveTier(machine(), [{ kind: 'ollama', url: 'x', models: [] }])).toBe(1);
  });

  test('has labels of NAME=VALUE; a name alone is true', () => {
    expect(parseLabels(['site=lab', 'quiet', 'note=a=b'])).toEqual({
      ok: true,
      value: { site: 'lab', quiet: 'true', note: 'a=b' },
    });
  });
});
