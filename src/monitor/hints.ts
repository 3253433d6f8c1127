/**
 * Words that programs put under a dialog or an input line. Every pattern is read against one row of bounded length, has no
 * nested repetition and no back reference, so its cost is bounded.
 */
const CHOOSE_KEY =
  '(?:enter|return|↵|⏎|⮐|space|⇆|tab|number keys?|\\d ?[-–] ?\\d|[↑↓←→▲▼]{1,2}(?: ?[/·,] ?[↑↓←→▲▼])?|(?:up|down|arrow)[ /a-z]{0,12}(?:keys?|arrows?)?|arrows|j/k)';
const CHOOSE_VERB =
  '(?:confirm|select|choose|submit|accept|approve|navigate|move|pick|toggle|continue|proceed|change|allow|run|save|open|retry|sign in|log ?in|switch)';

/** Says how to choose: a dialog is open. */
export const chooseHint = new RegExp(
  `(?:^|[\\s(\\[·•|,:])(?:use |press )?${CHOOSE_KEY}(?: keys?)?[:\\s]+(?:to |and |or |key |keys |again |choice )*${CHOOSE_VERB}`,
  'iu',
);
export const confirmHint =
  /\b(?:enter|return)(?: key)?(?: to|:)? (?:confirm|select|submit|choose|accept|approve|continue|proceed|toggle)|(?:↵|⏎|⮐) ?(?:to )?(?:confirm|select|submit|choose|accept|toggle|save)|confirm with|select with|\(use (?:the )?arrow|use (?:↑|arrows?|the arrow)|↑\/?↓ (?:to )?(?:select|navigate|choose|move)|\[use arrows|type to (?:filter|search)|press (?:a number|1-9)|⇆ ?(?:tab|select)/iu;
/** Says how to leave a dialog. */
export const cancelHint =
  /\b(?:esc|escape)(?: to|:| key)?(?: to)? (?:cancel|reject|dismiss|deny|go back|back|skip|decline|exit|close|abort)/iu;
/** Says how to stop what goes on: the program works. */
export const stopHint =
  /\b(?:esc|escape|ctrl[+-]c|⌃c|\^c)(?: again)?(?: to|:| twice to)? (?:interrupt|stop|cancel the|pause|abort)\b|\besc interrupt\b|\(esc to cancel(?:,|\))|\[stop\]/iu;
/** Any row that only tells about keys, modes, tokens or the directory. */
const KEYS =
  /(?:^|[\s(·|])(?:esc|enter|return|tab|shift\+tab|ctrl[+-]\S+|alt[+-]\S+|⌃\S|\^[A-Z]|↵|⏎|[↑↓←→⇆]+|\?|\/\w+|@|!|#|j\/k|space)(?:\/[^\s]+)?(?: key)?(?:[:\s]|$)+(?:again )?(?:to |for )?[a-z]/iu;
const STATUS =
  /\b(?:\d+(?:\.\d+)?k? ?(?:tokens?|%)|context (?:left|used|window)|tokens? used|auto-accept|accept edits|plan mode|bypass permissions|no sandbox|yolo|shortcuts|mcp servers?|MCP|model:|gpt-|claude-|gemini-|opus|sonnet|haiku|qwen|kimi|~\/|v\d+\.\d+|\d+ of \d+|queued|background (?:task|shell)s?|workspace|sandbox|branch)/iu;

export function isFooter(text: string): boolean {
  return (
    chooseHint.test(text) ||
    confirmHint.test(text) ||
    cancelHint.test(text) ||
    stopHint.test(text) ||
    KEYS.test(text) ||
    STATUS.test(text)
  );
}

const SPINNER_GLYPH =
  '[\\u2801-\\u28FF◐◓◑◒◴◷◶◵◜◠◝◞◡◟⣾⣽⣻⢿⡿⣟⣯⣷|/\\\\✢✣✤✥✦✧✱✲✳✴✵✶✷✸✹✺✻✼✽✾✿❀❁❂❃❇❈❉❊❋·*∗⬡⬢🌑🌒🌓🌔🌕🌖🌗🌘]';
const SPINNER = new RegExp(`^\\s*${SPINNER_GLYPH}{1,3} +\\S.{0,160}?(?:…|\\.\\.\\.?|\\d+ ?s\\b)`, 'u');
const BRAILLE = /^\s*[\u2801-\u28ff]{1,8}(?:\s|$)/u;
const WORKING_LINE =
  /^\s*[•◦●∙⏳✦]?\s*(?:working|thinking|processing|generating|running|building|loading|compiling|downloading|installing|waiting for (?:response|model|tool)|reasoning|streaming|searching|analyzing|reading|writing|executing|connecting|retrying|planning)\b.{0,40}(?:…|\.\.\.|\(\d+ ?[sm]|\d+(?:\.\d+)? ?s\b)/iu;
const COUNTER = /\(\s*(?:\d+[hms] ?){1,3}(?:\s*[·•,].{0,60})?\)/u;

/** `✻ Baked for 7s · done 2:50 AM`: the turn is over. */
const OVER = /\b\w+(?:ed|t|n) for (?:\d+[hms] ?){1,3}(?:[·•,].{0,40})?$/iu;
/** A list of keys that is always shown tells nothing of work. */
const KEY_LIST = /^\s*(?:esc|escape) interrupt ·.*(?:commands|shortcuts|exit|more)/iu;

/** Whether a row shows that the program works: a spinner with its word, a counter that runs, a way to stop it. */
export function showsWork(row: string): boolean {
  const text = row.trimStart();
  if (KEY_LIST.test(text)) return false;
  if (OVER.test(text)) return false;
  return (
    stopHint.test(text) ||
    WORKING_LINE.test(text) ||
    (SPINNER.test(text) && /…|\.\.\.?|\d+ ?s\b/u.test(text)) ||
    BRAILLE.test(text) ||
    (COUNTER.test(text) && /tokens?|esc|interrupt|↓|↑/iu.test(text))
  );
}
