import type { Line, Look } from './look.ts';

const BARE = /^\s*[❯›>»⟩❭]\s*$/u;
/** What an agent writes into its empty input line; without a mark before it only words that nobody else says. */
const MARKED =
  /^\s*[❯›>»*❭!┃]\s*(?:try "|ask |type (?:a|your) |enter (?:a|your) (?:message|prompt)|message |send a message|what (?:would|do) you (?:want|like)|describe (?:a|your) task|improve documentation|write tests for|explain this codebase|summarize recent|find and fix a bug|implement \{|run \/review|use \/skills|plan, search, build|add a follow-up|enter @ to mention)/iu;
const UNMARKED =
  /^\s*(?:→ )?(?:ask (?:codex|anything|amp|devin|kimi|goose)\b|type your (?:message|prompt)\b|send a message\b|plan, search, build|add a follow-up|cline is ready)/iu;

/** Whether a row is the empty input line of an agent: it waits for the next order, which is idle, not blocked. */
export function isInputLine(look: Look, line: Line): boolean {
  const text = line.text.trimStart();
  if (look.agent !== undefined && text.toLowerCase() === `${look.agent}>`) return true;
  if (BARE.test(text) || MARKED.test(text) || UNMARKED.test(text)) return true;
  return /^[❯›>]\s/u.test(text) && isBetweenRules(look, line);
}

function isBetweenRules(look: Look, line: Line): boolean {
  const at = look.lines.indexOf(line);
  return look.lines[at - 1]?.rule === true && look.lines[at + 1]?.rule === true;
}
