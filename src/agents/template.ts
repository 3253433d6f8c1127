/** What a template's placeholders stand for: text inside an argument, or any number of arguments where the element is just that. */
export type TemplateValues = Readonly<Record<string, string | readonly string[] | undefined>>;

const PLACEHOLDER = /\{\{ *([a-z_]+) *\}\}/g;

/** Fills in a template of arguments. An element whose placeholder has no value is left out; text of a value is never looked at again. */
export function fillArgs(args: readonly string[], values: TemplateValues): string[] {
  return args.flatMap((arg) => fillArg(arg, values));
}

/** The placeholders of a template, each once. */
export function placeholdersOf(args: readonly string[]): Set<string> {
  return new Set(args.flatMap((arg) => [...arg.matchAll(PLACEHOLDER)].map((match) => match[1] ?? '')));
}

function fillArg(arg: string, values: TemplateValues): readonly string[] {
  const whole = /^\{\{ *([a-z_]+) *\}\}$/.exec(arg)?.[1];
  const value = whole === undefined ? undefined : values[whole];
  if (whole !== undefined) return value === undefined ? [] : typeof value === 'string' ? [value] : value;
  let missing = false;
  const filled = arg.replace(PLACEHOLDER, (_, name: string) => {
    const part = values[name];
    missing ||= typeof part !== 'string';
    return typeof part === 'string' ? part : '';
  });
  return missing ? [] : [filled];
}
