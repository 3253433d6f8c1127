/** What typed input amounts to once the detach keys are taken out. */
export interface TypedInput {
  readonly bytes: Buffer;
  readonly detaches: boolean;
}

/**
 * Finds the detach sequence in typed input, however it is cut into chunks. The first key typed twice is sent once; after any
 * other key both are sent. A program may have switched the keyboard to escape codes (CSI u), so those forms count as well.
 */
export function openDetachKeys(keys: readonly string[]): (chunk: Buffer) => TypedInput {
  const forms = keys.map(formsOf);
  let matched = 0;
  let held = '';
  return (chunk) => {
    let rest = chunk.toString('latin1');
    let out = '';
    while (rest !== '') {
      const form = forms[matched]?.find((candidate) => rest.startsWith(candidate));
      if (form !== undefined) {
        rest = rest.slice(form.length);
        held += form;
        matched += 1;
        if (matched === forms.length) return { bytes: Buffer.from(out, 'latin1'), detaches: true };
        continue;
      }
      if (matched > 0) {
        const again = forms[0]?.find((candidate) => rest.startsWith(candidate));
        out += held;
        rest = rest.slice(again?.length ?? 0);
        matched = 0;
        held = '';
        continue;
      }
      const next = nextPlace(rest, forms[0] ?? []);
      out += rest.slice(0, next);
      rest = rest.slice(next);
    }
    return { bytes: Buffer.from(out, 'latin1'), detaches: false };
  };
}

function nextPlace(text: string, forms: readonly string[]): number {
  const places = forms.map((form) => text.indexOf(form)).filter((place) => place > 0);
  return Math.min(text.length, ...places);
}

function formsOf(key: string): string[] {
  const code = key.charCodeAt(0);
  if (key.length !== 1) return [key];
  if (code >= 32) return [key, `\u001b[${code}u`, `\u001b[${code};1u`];
  const letter = (code + 64) | (code <= 26 ? 32 : 0); // 1 → 'a', 29 → ']'
  return [key, `\u001b[${letter};5u`, `\u001b[27;5;${letter}~`];
}

/** The keys as a person reads them: `Ctrl-] d`. */
export function nameKeys(keys: readonly string[]): string {
  return keys
    .map((key) => {
      const code = key.charCodeAt(0);
      return key.length === 1 && code < 32 ? `Ctrl-${String.fromCharCode(code + 64)}` : key;
    })
    .join(' ');
}
