import type { Command } from 'commander';
import type { AgentFact, Gpu, Machine } from '../../domain/fleet/facts.ts';
import { detect, type Detected } from '../../federation/detect/detect.ts';
import { measureLoad } from '../../federation/detect/machine.ts';
import { version } from '../../host/version.ts';
import { home, print, printJson, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { factsToJson, loadToJson } from './to-json.ts';

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nNothing is sent anywhere: programs tell their versions, and model servers on this machine are asked.',
    )
    .action(async (options: { readonly json?: true }) => {
      const { config } = await readConfig();
      const found = await detect({ config, env: process.env, version });
      if (!found.ok) throw new CommandError('usage', found.error);
      const load = measureLoad(home().dir, found.value.slots);
      if (options.json) printJson({ ...factsToJson(found.value), load: loadToJson(load) });
      else print(render(found.value, load.loadCenti, load.memoryFreeMb, load.diskFreeMb));
    });
}

function render(facts: Detected, loadCenti: number, memoryFreeMb: number, diskFreeMb: number): string[] {
  const { machine } = facts;
  return [
    `node      ${facts.node}, cis ${facts.version}`,
    `machine   ${machineWords(machine)}, load ${(loadCenti / 100).toFixed(2)}`,
    `memory    ${gb(machine.memoryMb)}, ${gb(memoryFreeMb)} free; disk: ${gb(diskFreeMb)} free`,
    `GPUs      ${machine.gpus.length === 0 ? 'none found' : machine.gpus.map(gpuWords).join(', ')}`,
    `tier      ${facts.tier} (${tierWords[facts.tier]})`,
    `slots     ${facts.slots}`,
    `labels    ${Object.entries(facts.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
    `features  ${facts.features.join(' ') || 'none'}`,
    ...lines('agents', facts.agents.map(agentWords), 'none installed, or none offered (node.agents)'),
    ...lines(
      'models',
      facts.models.map(({ kind, url, models }) => `${kind} at ${url}: ${models.join(', ') || 'no models'}`),
      'no local model server answers',
    ),
  ];
}

const tierWords = { 0: 'small', 1: 'ordinary', 2: 'runs models itself' } as const;

export function machineWords({ os, arch, cores }: Machine): string {
  return `${os} ${arch}, ${cores} ${cores === 1 ? 'core' : 'cores'}`;
}

function lines(title: string, items: readonly string[], none: string): string[] {
  const all = items.length === 0 ? [none] : items;
  return all.map((item, index) => `${index === 0 ? title.padEnd(8) : '        '}  ${item}`);
}

function gb(mb: number): string {
  return mb >= 10_240 ? `${Math.round(mb / 1024)} GB` : `${(mb / 1024).toFixed(1)} GB`;
}

function gpuWords({ name, memoryMb }: Gpu): string {
  return memoryMb === null ? name : `${name} (${gb(memoryMb)})`;
}

function agentWords({ name, version: ofAgent, login }: AgentFact): string {
  const logins = { yes: '', no: ', no sign of a login', unknown: '' } as const;
  return `${name}${ofAgent === null ? '' : ` ${ofAgent}`}${logins[login]}`;
}
