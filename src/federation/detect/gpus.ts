import type { Gpu } from '../../domain/fleet/facts.ts';
import { askProgram } from './ask-program.ts';

/** Asks the programs that the makers ship with their drivers; a maker without such a program has no GPU that could be used. */
export async function detectGpus(env: NodeJS.ProcessEnv): Promise<readonly Gpu[]> {
  const [nvidia, amd, apple] = await Promise.all([
    askProgram('nvidia-smi', ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits'], env),
    askProgram('rocm-smi', ['--showproductname', '--showmeminfo', 'vram', '--json'], env),
    process.platform === 'darwin' ? askProgram('system_profiler', ['SPDisplaysDataType', '-json'], env) : null,
  ]);
  return [...parseNvidia(nvidia ?? ''), ...parseRocm(amd ?? ''), ...parseApple(apple ?? '')];
}

/** Lines such as `NVIDIA A100-SXM4-40GB, 40960`, in MiB. */
export function parseNvidia(text: string): Gpu[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(.+), *(\d+|\[.*\])$/.exec(line.trim());
    if (match === null) return [];
    const memoryMb = Number(match[2]);
    return [{ vendor: 'nvidia', name: match[1] ?? '', memoryMb: Number.isNaN(memoryMb) ? null : memoryMb }];
  });
}

/** `{"card0": {"Card Series": "…", "VRAM Total Memory (B)": "…"}}`; the names of the keys changed with the versions. */
export function parseRocm(text: string): Gpu[] {
  return entriesOf(text).flatMap(([card, value]) => {
    if (!/^card\d+$/.test(card) || typeof value !== 'object' || value === null) return [];
    const fields = Object.entries(value as Record<string, unknown>);
    const field = (pattern: RegExp): string | null => {
      const found = fields.find(([key]) => pattern.test(key))?.[1];
      return typeof found === 'string' && found !== '' ? found : null;
    };
    const bytes = Number(field(/^VRAM Total Memory \(B\)$/i) ?? NaN);
    const name = field(/^card series$/i) ?? field(/^card model$/i) ?? field(/^device name$/i) ?? card;
    return [{ vendor: 'amd', name, memoryMb: Number.isNaN(bytes) ? null : Math.floor(bytes / 1024 / 1024) }];
  });
}

/** Only Apple's own: others in old Macs run no models. They share the machine's memory. */
export function parseApple(text: string): Gpu[] {
  const [, displays] = entriesOf(text).find(([key]) => key === 'SPDisplaysDataType') ?? [];
  if (!Array.isArray(displays)) return [];
  return (displays as readonly unknown[]).flatMap((display) => {
    if (typeof display !== 'object' || display === null) return [];
    const { sppci_model: name, spdisplays_vendor: vendor } = display as Record<string, unknown>;
    if (typeof name !== 'string' || !/apple/i.test(`${name} ${String(vendor)}`)) return [];
    return [{ vendor: 'apple', name, memoryMb: null }];
  });
}

function entriesOf(text: string): [string, unknown][] {
  try {
    const raw: unknown = JSON.parse(text);
    return typeof raw === 'object' && raw !== null ? Object.entries(raw) : [];
  } catch {
    return [];
  }
}
