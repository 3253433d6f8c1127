import { err, ok, type Result } from '../domain/result.ts';

const named: Readonly<Record<string, string>> = {
  enter: '\r',
  return: '\r',
  tab: '\t',
  btab: '\u001b[Z',
  space: ' ',
  escape: '\u001b',
  esc: '\u001b',
  backspace: '\u007f',
  bspace: '\u007f',
  delete: '\u001b[3~',
  insert: '\u001b[2~',
  up: '\u001b[A',
  down: '\u001b[B',
  right: '\u001b[C',
  left: '\u001b[D',
  home: '\u001b[H',
  end: '\u001b[F',
  pageup: '\u001b[5~',
  pagedown: '\u001b[6~',
  f1: '\u001bOP',
  f2: '\u001bOQ',
  f3: '\u001bOR',
  f4: '\u001bOS',
  f5: '\u001b[15~',
  f6: '\u001b[17~',
  f7: '\u001b[18~',
  f8: '\u001b[19~',
  f9: '\u001b[20~',
  f10: '\u001b[21~',
  f11: '\u001b[23~',
  f12: '\u001b[24~',
};

/** Turns keys as tmux names them (`C-c Down Enter`, `M-x`, `S-Tab`, single characters) into what a terminal sends for each. */
export function parseKeys(text: string): Result<readonly string[], string> {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const keys: string[] = [];
  for (const word of words) {
    const key = parseKey(word);
    if (key === null) {
      return err(
        `there is no key "${word}": single characters, C-x, M-x, ${Object.keys(named).slice(0, 18).join(', ')}, f1…f12`,
      );
    }
    keys.push(key);
  }
  return keys.length === 0 ? err('no keys were given') : ok(keys);
}

function parseKey(word: string): string | null {
  const byName = named[word.toLowerCase()];
  if (byName !== undefined) return byName;
  if (word.length === String.fromCodePoint(word.codePointAt(0) ?? 0).length) return word;
  const rest = word.slice(2);
  if (/^C-/i.test(word)) return controlKey(rest);
  if (/^S-tab$/i.test(word)) return '\u001b[Z';
  if (!/^M-/i.test(word)) return null;
  const plain = parseKey(rest);
  return plain === null ? null : `\u001b${plain}`;
}

/** Ctrl takes a character's upper bits away: C-a is 1, C-[ is Escape, C-] is 29. */
function controlKey(character: string): string | null {
  if (/^space$/i.test(character) || character === '@') return '\0';
  if (character === '?') return '\u007f';
  if (!/^[a-zA-Z[\\\]^_]$/.test(character)) return null;
  return String.fromCharCode(character.toUpperCase().charCodeAt(0) & 0x1f);
}
