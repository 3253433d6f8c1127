import type { Argument, Command, Option } from 'commander';
import { commands, groups, type CommandEntry } from './commands.ts';
import { home } from './context.ts';
import { loadCommand } from './program.ts';

/** Prints what may stand in the place of the last of the words, one per line; `:files` asks the shell for its own file names. */
export function command(into: Command): Command {
  return into.argument('[words...]').action(async (words: readonly string[]) => {
    const typed = words.at(-1) ?? '';
    const offers = await offersFor(words.slice(0, -1), typed);
    process.stdout.write(
      offers
        .filter((offer) => offer === ':files' || offer.startsWith(typed))
        .map((offer) => `${offer}\n`)
        .join(''),
    );
  });
}

async function offersFor(before: readonly string[], typed: string): Promise<readonly string[]> {
  const shown = commands.filter((entry) => entry.hidden !== true);
  const entry = shown.find(({ path }) => path.split(' ').every((word, index) => before[index] === word));
  if (entry !== undefined) return offersOf(entry, before.slice(entry.path.split(' ').length), typed);
  const [group] = before;
  if (group === undefined)
    return [...new Set([...Object.keys(groups), ...shown.map(({ path }) => path.split(' ')[0] ?? '')])];
  if (before.length > 1 || !(group in groups)) return [];
  return shown.filter(({ path }) => path.startsWith(`${group} `)).map(({ path }) => path.slice(group.length + 1));
}

async function offersOf(entry: CommandEntry, before: readonly string[], typed: string): Promise<readonly string[]> {
  const called = await loadCommand(entry);
  if (typed.startsWith('-')) return [...called.options.flatMap(({ long, short }) => [long ?? short ?? '']), '--help'];
  const option = called.options.find((one) => takesValue(one) && [one.long, one.short].includes(before.at(-1)));
  if (option !== undefined) return option.argChoices ?? (/run/.test(option.flags) ? ids('run') : [':files']);
  const flags = new Set(called.options.filter(takesValue).flatMap(({ long, short }) => [long, short]));
  const given = before.filter((word, index) => !word.startsWith('-') && !flags.has(before[index - 1]));
  const all = called.registeredArguments;
  const argument = all[given.length] ?? (all.at(-1)?.variadic === true ? all.at(-1) : undefined);
  return argument === undefined ? [] : offersForArgument(argument);
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

async function offersForArgument(argument: Argument): Promise<readonly string[]> {
  if (argument.argChoices !== undefined) return argument.argChoices;
  const name = argument.name().toLowerCase();
  const kinds = [...(/run/.test(name) ? ['run'] : []), ...(/session|task/.test(name) ? ['session'] : [])] as const;
  const offers = (await Promise.all(kinds.map((kind) => ids(kind as 'run' | 'session')))).flat();
  return /file|dir|path/.test(name) ? [...offers, ':files'] : offers;
}

/** Ids of the newest runs, or the sessions of those that have not ended; nothing where there is no database. */
async function ids(kind: 'run' | 'session'): Promise<string[]> {
  const { openStorageToRead } = await import('../storage/open.ts');
  const { listRuns, readAttempts } = await import('../storage/read.ts');
  const opened = openStorageToRead(home().database);
  if (!opened.ok) return [];
  const runs = listRuns(opened.value, 50);
  if (kind === 'run') return runs.map(({ run }) => run);
  return runs.slice(0, 10).flatMap(({ run }) => readAttempts(opened.value, run).map(({ session }) => session));
}
