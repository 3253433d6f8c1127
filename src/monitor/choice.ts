/** A row of a menu, taken apart. */
export interface ChoiceLine {
  /** Drawn before the row: `strong` ones are drawn by menus only, `weak` ones also by quotes and lists. */
  readonly mark: 'strong' | 'weak' | null;
  readonly markCol: number;
  readonly key: string | null;
  readonly keyKind: 'number' | 'letter' | 'trailing' | null;
  /** A radio button or check box in front of the label. */
  readonly radio: 'on' | 'ticked' | 'off' | null;
  readonly label: string;
  /** Column of key or label. */
  readonly col: number;
}

const STRONG = '❯›▶▸►➤➜❱⏵▷→‣»❭▌';
const WEAK = '>●◉•◆';
const RADIO = /^(?:[○◯◌◻☐□◽⬚]|\( \)|\[ \]|[●◉◼☑☒■◾⬢🔘]|\([•xX*●]\)|\[[xX✓✔•*]\])\s+/u;
/** A tick says what was chosen before, a filled button what is chosen now. */
const BUTTON_ON = /^(?:[●◉◼⬢🔘]|\([^ ]\))/u;
const RADIO_ON = /^(?:[●◉◼☑☒■◾⬢🔘]|\([^ ]\)|\[[^ ]\])/u;
const NUMBER = /^(?:\[(\d{1,2})\]|\((\d{1,2})\)|(\d{1,2})[.):])\s+(?=\S)/u;
const LETTER = /^(?:\[([a-zA-Z])\]|\(([a-zA-Z])\)|([a-zA-Z])[.):])\s+(?=\S)/u;
const TRAILING_KEY =
  /\s\(((?:[a-z]|esc|enter|tab|shift\+tab|ctrl\+[a-z])(?:(?: or |\/|, )(?:[a-z]|esc|enter|tab))*)\)(?:\s*\(enter\))?\s*$/iu;

/** Takes a row apart; null when it has no text. */
export function parseChoice(text: string): ChoiceLine | null {
  const rest = text.trimStart();
  if (rest === '') return null;
  let at = text.length - rest.length;
  const first = String.fromCodePoint(rest.codePointAt(0) ?? 32);
  const attached = rest.slice(first.length);
  const marked = isMark(first) && (/^\s+\S|^\[ \S/u.test(attached) || RADIO.test(attached));
  const mark = marked ? (STRONG.includes(first) ? 'strong' : 'weak') : null;
  const markCol = at;
  let body = rest;
  if (marked) {
    const after = rest.slice(first.length).trimStart();
    at += rest.length - after.length;
    body = after;
  }
  return { mark, markCol, ...takeLabel(body, at, marked && '●◉'.includes(first)) };
}

function takeLabel(body: string, at: number, isRadioMark: boolean): Omit<ChoiceLine, 'mark' | 'markCol'> {
  const col = at;
  let rest = body;
  let radio: ChoiceLine['radio'] = isRadioMark ? 'on' : null;
  const before = RADIO.exec(rest);
  if (before !== null) {
    radio = stateOf(rest);
    rest = rest.slice(before[0].length);
  }
  const numbered = NUMBER.exec(rest) ?? LETTER.exec(rest);
  if (numbered === null) return { ...withTrailingKey(rest), radio, col };
  const key = numbered[1] ?? numbered[2] ?? numbered[3] ?? '';
  rest = rest.slice(numbered[0].length);
  const after = RADIO.exec(rest);
  if (after !== null) {
    radio = stateOf(rest);
    rest = rest.slice(after[0].length);
  }
  return { key, keyKind: /\d/u.test(key) ? 'number' : 'letter', label: rest.trim(), radio, col };
}

function stateOf(box: string): NonNullable<ChoiceLine['radio']> {
  if (!RADIO_ON.test(box)) return 'off';
  return BUTTON_ON.test(box) ? 'on' : 'ticked';
}

function withTrailingKey(rest: string): { key: string | null; keyKind: ChoiceLine['keyKind']; label: string } {
  const trailing = TRAILING_KEY.exec(rest);
  if (trailing === null) return { key: null, keyKind: null, label: rest.trim() };
  const key = (trailing[1] ?? '').split(/ or |\/|, /u)[0] ?? '';
  return { key: key.toLowerCase(), keyKind: 'trailing', label: rest.slice(0, trailing.index).trim() };
}

function isMark(first: string): boolean {
  return first !== '' && (STRONG.includes(first) || WEAK.includes(first));
}
