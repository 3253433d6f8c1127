import { limitWords } from './generic.ts';
import type { Rule } from '../rule.ts';

/** Coding agents whose conversations are told apart from a plain program's output. */
export const codingAgents = [
  'claude', 'codex', 'opencode', 'gemini', 'qwen', 'kimi', 'aider', 'cursor', 'copilot', 'amp', 'goose', 'crush', 'droid', 'pi', 'plandex',
  'cline', 'kilo', 'kiro', 'amazonq', 'auggie', 'grok', 'devin', 'antigravity', 'hermes', 'openhands', 'roo', 'continue', 'warp', 'iflow', 'codebuddy',
] as const;

/** Other names under which the programs run. */
export const aliases: Readonly<Record<string, string>> = {
  'claude-code': 'claude', claudecode: 'claude', 'openai-codex': 'codex', 'open-code': 'opencode', 'gemini-cli': 'gemini', 'qwen-code': 'qwen',
  'kimi-cli': 'kimi', 'kimi-code': 'kimi', 'cursor-agent': 'cursor', 'github-copilot': 'copilot', 'copilot-cli': 'copilot', ghcs: 'copilot',
  'pi-coding-agent': 'pi', 'pi-agent': 'pi', 'factory-droid': 'droid', 'cline-cli': 'cline', 'kilo-code': 'kilo', 'kiro-cli': 'kiro', q: 'amazonq',
  'amazon-q': 'amazonq', 'amp-code': 'amp', sourcegraph: 'amp', pdx: 'plandex', agy: 'antigravity', 'grok-build': 'grok', 'goose-cli': 'goose',
};

const notAgain = [/approaching|\bleft\b|remaining|\b\d+% |will (?:automatically )?retry|retrying|attempt \d|auto-?retry/iu] as const;

/** Said by the program itself, at the start of a row, not in the middle of somebody's sentence. */
const START = String.raw`^\s*(?:[⎿■⚠✗✘×❌●⏺•✕ℹ!│┃]\s*){0,2}(?:\[?(?:api )?error\]?:?\s*|warning:?\s*|sorry,? ?|oops,? ?|\w+:\s*)?(?:\(?\d{3}\)?:?\s*)?`;
const said = (words: string): RegExp => new RegExp(START + words, 'iu');

export const agentRules: readonly Rule[] = [
  {
    id: 'agent-limit-long-retry', agents: codingAgents, state: 'blocked', kind: 'rate-limit', priority: 665, region: 'recent',
    all: [/\b(?:limit|quota|too many requests|overloaded|429)\b/iu, /\bretry\w* (?:in|after) (?:\d+ ?d|\d+ ?h|[2-9] ?m|\d{2,} ?m|[1-9]\d{2,} ?s)/iu],
  },
  {
    id: 'agent-limit-said', agents: codingAgents, state: 'blocked', kind: 'rate-limit', priority: 660, region: 'recent', without: ['working'],
    any: [
      said(String.raw`(?:claude(?: ai| code)?|codex|your|the|this|current|chatgpt|gemini|qwen|kimi|copilot|opus|sonnet|daily|weekly|monthly|session|\d+-hour|usage|rate|free|premium|plan|oauth|api|model|request|message|quota|credit|token)[\w -]{0,40}(?:limit|quota|cap)\b[\w -]{0,24}(?:reached|hit|exceeded|exhausted|will reset|resets)`),
      said(String.raw`(?:you've|you have|you) (?:already )?(?:hit|reached|exceeded|exhausted|used up|used all|run out)\b.{0,50}(?:limits?|quota|credits?|usage|allowance|messages|tokens|requests|capacity)`),
      said(String.raw`(?:you're |you are )?out of (?:extra |free )?(?:usage|credits?|tokens|messages|quota|requests)\b`),
      said(String.raw`(?:your )?(?:credit balance|balance|insufficient (?:credit|quota|balance|funds)|insufficient_quota|too many requests|rate[- ]?limit|resource[_ ]exhausted|quota exceeded|payment required)`),
      said(String.raw`.{0,40}?\b(?:429|402)\b.{0,80}(?:quota|rate|limit|exhausted|too many|credit)`),
    ],
    except: notAgain,
  },
  {
    id: 'agent-limit-shown', agents: codingAgents, state: 'blocked', kind: 'rate-limit', priority: 655, region: 'last-8', without: ['working'],
    all: [/\b(?:resets?|try again|upgrade|available again|will reset|wait until|purchase|\/upgrade|billing)\b/iu],
    any: limitWords, except: notAgain,
  },
  {
    id: 'agent-login-said', agents: codingAgents, state: 'blocked', kind: 'login', priority: 658, region: 'recent', without: ['working'],
    any: [
      said(String.raw`(?:.{0,60}[·:.] ?)?(?:please )?(?:run|use|type|try|send|set) [\x60'"]?\/(?:login|auth|connect|provider)[\x60'"]?(?: to\b.{0,60})?`),
      said(String.raw`(?:you are |you're |user )?not (?:logged|signed) in\b`),
      said(String.raw`(?:invalid|missing|incorrect|no|expired) (?:api[- _]key|auth\w*(?: token| credentials)?|access token|credentials|oauth token)`),
      said(String.raw`(?:your )?(?:oauth token|session|access token|refresh token|login|api key|authentication|token)\b.{0,20} (?:has )?(?:expired|been revoked|was revoked|failed|required|is invalid|is missing|could not be refreshed|not found|not set)`),
      said(String.raw`(?:401|403)\b.{0,80}(?:auth|api key|unauthorized|forbidden|token|credential)`),
      said(String.raw`please (?:log|sign) ?in\b`),
      said(String.raw`.{0,30}(?:authentication_error|unauthorized|failed to authenticate|authentication failed|you must be logged in|login required)`),
      /\b(?:LLM not set|no (?:models?|provider|llm) (?:configured|available|set)|no api key)\b.{0,80}(?:\/login|\/connect|login|auth|configure|set)/iu,
    ],
    except: [/login succe|logged in as|successfully|retrying|welcome back/iu],
  },
  {
    id: 'agent-asks', agents: codingAgents, state: 'blocked', kind: 'approval', priority: 560, strength: 'weak', region: 'last-8', without: ['input-line', 'working'],
    any: [/^\s*(?:[?⚠△]\s+)?(?:(?:do|would) you (?:want|like)\b.{0,160}|(?:allow|approve|confirm|proceed|continue|apply|accept|run|execute|permit)\b.{0,100})\?\s*$/iu, /\bneeds? your (?:approval|permission|confirmation)\b/iu, /\b(?:requires?|requesting|awaiting|waiting for) (?:your |user )?(?:approval|permission|confirmation)\b/iu],
  },
  { id: 'gemini-confirmation', agents: ['gemini', 'qwen', 'iflow'], state: 'blocked', kind: 'approval', priority: 915, region: 'recent', any: ['waiting for user confirmation', /^\s*(?:apply this change|allow execution\b.{0,60})\?/iu] },
  {
    id: 'claude-permission', agents: ['claude'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12', shape: ['no-dialog', 'menu'],
    any: ['no, and tell claude what to do differently', 'tab to amend', 'ctrl+e to explain', 'yes, and don\'t ask again', /^\s*do you want to (?:proceed|make this edit|create|overwrite|allow)\b.{0,120}\?/iu],
    not: [/^\s*[❯>]\s*$/u],
  },
  { id: 'claude-permission-needed', agents: ['claude'], state: 'blocked', kind: 'approval', priority: 914, region: 'last-12', without: ['input-line'], all: [/^\s*claude needs your (?:permission|attention|approval)/iu] },
  { id: 'claude-dialog-foot', agents: ['claude'], state: 'blocked', kind: 'question', priority: 912, region: 'last-4', all: [/enter to (?:select|confirm|submit)/iu, /esc to (?:cancel|exit|go back)/iu] },
  {
    id: 'codex-approval', agents: ['codex'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12',
    any: ['press enter to confirm or esc to', 'allow command?', /^\s*would you like to (?:run the following command|make the following edits|grant)/iu, 'yes (y)'],
    not: [/^\s*›\s*(?:$|ask codex|explain this|summarize|write tests)/iu],
  },
  { id: 'codex-question', agents: ['codex'], state: 'blocked', kind: 'question', priority: 914, region: 'last-4', any: ['enter to submit answer', 'enter to submit all', 'enter to submit'] },
  { id: 'codex-press-enter', agents: ['codex'], state: 'blocked', kind: 'question', priority: 913, region: 'last-3', any: [/^\s*press enter to (?:continue|confirm|view|use)/iu] },
  { id: 'opencode-permission', agents: ['opencode', 'kilo'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-16', any: ['△ permission required', 'permission required', /\ballow once\b.{1,40}\breject\b/iu] },
  { id: 'opencode-question', agents: ['opencode', 'kilo'], state: 'blocked', kind: 'question', priority: 914, region: 'last-4', all: ['esc dismiss'], any: ['enter confirm', 'enter submit', 'enter toggle'] },
  { id: 'kimi-panel', agents: ['kimi'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-16', all: [/approve|reject|revise/iu], any: ['requesting approval', '↵ confirm', 'approve once', 'is requesting', 'waiting for approval'] },
  { id: 'kimi-question', agents: ['kimi'], state: 'blocked', kind: 'question', priority: 914, region: 'last-6', all: [/↑↓ select|▲\/▼ select/iu, 'esc'], any: ['↵ choose', '↵ toggle', '↵ save', '↵ submit'] },
  {
    id: 'cursor-approval', agents: ['cursor'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12',
    any: ['(y) (enter)', 'skip (esc or n)', 'keep (n)', 'reject & propose changes', 'write to this file?', 'run this command?', 'waiting for approval', /^\s*(?:→ )?(?:run|allow) .{0,80}\(y\)/iu, /\bauto.{0,40}\(shift\+tab\)/iu],
  },
  { id: 'copilot-dialog', agents: ['copilot'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-6', any: [/confirm with .{1,60}enter/iu, /enter to (?:select|confirm|submit)/iu, 'enter accept'] },
  { id: 'amp-approval', agents: ['amp'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12', any: ['waiting for approval', 'invoke tool', 'run this command?', 'allow editing file', 'allow creating file', 'confirm tool call', 'allow all for this session', 'deny with feedback'] },
  { id: 'droid-approval', agents: ['droid'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12', all: ['yes, allow'], any: ['no, cancel', 'enter to select'] },
  { id: 'cline-approval', agents: ['cline'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12', any: ['let cline use this tool', 'execute command?', 'use this tool?', /^\s*\[(?:act|plan) mode\].{0,120}\?/iu], not: ['cline is ready for your message'] },
  { id: 'kiro-approval', agents: ['kiro', 'amazonq'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12', any: ['requires approval', 'allow this action?', 'approve all pending', 'pending from subagents', 'yes, single permission'] },
  { id: 'grok-approval', agents: ['grok'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12', any: ['ctrl+o:yolo', /^\s*[0-9a-z]+\s+[(][●○][)]\s/u, 'choose permission whitelist scope'] },
  { id: 'devin-approval', agents: ['devin'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-8', all: ['approve once'] },
  { id: 'antigravity-approval', agents: ['antigravity'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-16', all: ['requesting permission for'] },
  { id: 'goose-approval', agents: ['goose'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-12', any: ['would like to call the above tool', 'do you allow?'], shape: ['dialog', 'no-dialog'] },
  { id: 'crush-permission', agents: ['crush'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-16', all: ['permission required'] },
  { id: 'aider-asks', agents: ['aider'], state: 'blocked', kind: 'approval', priority: 915, region: 'last-line', any: [/\(Y\)es\/\(N\)o/u] },
  { id: 'opencode-reject-reason', agents: ['opencode', 'kilo'], state: 'blocked', kind: 'question', priority: 913, region: 'last-6', any: ['tell opencode what to do differently', '△ reject permission'] },
  { id: 'agent-providers', agents: codingAgents, state: 'blocked', kind: 'login', priority: 964, region: 'last-24', any: [/^\s*connect (?:a )?provider\b/iu] },
  { id: 'qwen-title', agents: ['qwen'], state: 'blocked', kind: 'approval', priority: 911, region: 'title', any: [/^✋/u] },
  { id: 'gemini-title', agents: ['gemini'], state: 'blocked', kind: 'approval', priority: 911, region: 'title', any: [/^✋/u] },
  { id: 'cancel-hint-working', agents: ['gemini', 'qwen', 'amp', 'copilot', 'kiro', 'iflow'], state: 'working', priority: 640, region: 'last-8', any: [/\besc(?:ape)?(?: again)? (?:to )?(?:cancel|interrupt)\b/iu] },
  { id: 'opencode-working', agents: ['opencode', 'kilo'], state: 'working', priority: 640, region: 'last-8', any: [/\besc\b.{0,12}\binterrupt\b/iu, /[■⬝]{4,}/u] },
  { id: 'cursor-working', agents: ['cursor'], state: 'working', priority: 640, region: 'last-8', any: ['ctrl+c to stop', /[1-9]\d* background tasks?/iu] },
  { id: 'droid-working', agents: ['droid'], state: 'working', priority: 640, region: 'last-8', any: ['esc to stop'] },
  { id: 'claude-tokens', agents: ['claude'], state: 'working', priority: 640, region: 'last-12', any: [/^\s*\(\s*(?:\d+[hms] ?)+· .{0,20}tokens/iu] },
  { id: 'claude-done', agents: ['claude'], state: 'done', priority: 320, region: 'last-12', shape: ['input-line'], any: [/^\s*[✢✣✤✥✦✧✱✲✳✴✵✶✷✸✹✺✻✼✽*] \S+ for (?:\d+[hms] ?)+/u] },
  { id: 'codex-done', agents: ['codex'], state: 'done', priority: 320, region: 'screen', shape: ['input-line'], any: [/─ worked for /iu] },
  { id: 'title-idle', agents: ['claude'], state: 'idle', priority: 250, region: 'title', any: [/^✳ /u] },
  { id: 'gemini-ready', agents: ['gemini', 'qwen'], state: 'idle', priority: 250, region: 'title', any: [/^◇/u] },
];
