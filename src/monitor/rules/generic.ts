import type { Rule } from '../rule.ts';

const ANY_CHOICE = ['menu', 'buttons', 'yes-no'] as const;
const ANY_PROMPT = ['menu', 'buttons', 'yes-no', 'input', 'key'] as const;

/** Words of a dialog that asks whether a folder or its files may be trusted. */
const trustWords = [
  /\btrust (?:this|the|these|that|all|parent|in)?\s?(?:folder|director|workspace|file|author|project|repo|content|source|path|location)/iu,
  /\bdo you trust\b/iu,
  /\btrust (?:folder|parent folder)\b/iu,
  /\bI trust (?:this|the)\b/iu,
  /\byes, trust\b/iu,
  /project you (?:created or one you )?trust/iu,
  /\buntrusted\b.{0,40}\b(?:folder|directory|workspace|content)/iu,
  /\bdon't trust\b/iu,
  /(?:is this|was this) (?:a )?(?:project|folder|directory) (?:you )?(?:created|trust)/iu,
  /Since this folder is (?:not )?version controlled/iu,
  /you are running \w+ in\b/iu,
  /信任/u,
] as const;

export const limitWords = [
  /\b(?:usage|session|rate|weekly|daily|monthly|hourly|hour|request|message|token|credit|spend\w*|plan|premium|quota|free|api|model|opus|sonnet|pro)[ -](?:[\w-]+ ){0,2}(?:limit|quota|cap|allowance|tier limit)s? (?:has been |have been |was |is |were )?(?:reached|hit|exceeded|exhausted|used up|over|depleted)/iu,
  /\b(?:you've|you have|you|we've|have|has) (?:already |just )?(?:hit|reached|exceeded|exhausted|used up|used all|run out|ran out|consumed)\b.{0,50}\b(?:limits?|quota|credits?|usage|allowance|messages|tokens|requests|capacity)\b/iu,
  /\b(?:limit|quota)s? (?:reached|exceeded|exhausted)\b/iu,
  /\bout of (?:extra |free |premium |api )?(?:usage|credits?|tokens|messages|quota|requests|funds)\b/iu,
  /\b(?:credit balance|balance|credits?) (?:is |are )?(?:too low|insufficient|exhausted|depleted)/iu,
  /\b(?:insufficient|no remaining|not enough) (?:credits?|quota|balance|funds)|insufficient_quota|RESOURCE_EXHAUSTED/iu,
  /\brate[- ]?limit(?:ed|s)?\b.{0,60}(?:reached|exceeded|hit|error|try again|resets?|wait|retry)/iu,
  /\b(?:being|been|are|is|were) rate[- ]?limited\b/iu,
  /\btoo many requests\b/iu,
  /\b(?:possible )?quota limitations in place\b|\bslow response times detected\b/iu,
] as const;

const loginWords = [
  /\b(?:sign|log)(?:ging|ing)? ?-?in (?:with|to|using|via|method|required|again|flow|first|on|through)\b/iu,
  /\bto (?:log|sign)[ -]?in\b|\blog ?in (?:method|to (?:your|continue)|with)|select login|sign-in method|login required/iu,
  /\bauthenticat(?:e|ion|ing)\b/iu,
  /\b(?:api[- _]key|access token|auth token|personal access token)\b.{0,60}(?:\?|:|not set|not found|missing|invalid|required|paste|enter|use|provide|detected|expired)/iu,
  /\b(?:enter|paste|provide|use|add|set|configure|missing|no|invalid|your|gemini|anthropic|openai)\b.{0,40}\b(?:api[- _]key|access token|auth token|authorization code|auth code|login code)\b/iu,
  /\b(?:one-time|device|user|verification|login|confirmation|authorization|activation) code\b/iu,
  /\bnot (?:logged|signed) in\b|\bplease (?:run )?(?:\/login|log ?in|sign in)\b|\bnot authenticated\b/iu,
  /(?:open|opening|visit|go to|browse to|copy|paste|use)\b.{0,60}(?:browser|https?:\/\/\S*(?:auth|login|device|oauth|activate|signin|sso))/iu,
  /https?:\/\/\S*(?:\/oauth|\/device|\/login\/|\/activate|signin|oauth2|authorize\?)/iu,
  /\bsubscription\b.{0,30}\baccount\b|\banthropic console account\b/iu,
  /\bconnect (?:a |your )?provider\b|\bselect (?:a )?provider\b|\bchoose (?:a|your) provider\b/iu,
  /\baccount (?:suspended|disabled)\b/iu,
  /登录|登陆/u,
] as const;

const approvalWords = [
  /\b(?:do|would|can|may|shall|should) (?:you|i|we|it)\b.{0,40}\b(?:proceed|run|make|create|allow|approve|apply|execute|edit|write|delete|overwrite|permit|grant|accept|use|fetch|call|send|continue|stop|install|remove|open|change|modify)\b/iu,
  /\b(?:allow|approve|authorize|permit|grant|accept|reject|deny)\b/iu,
  /\bpermission|requires? (?:your )?approval|needs? your (?:approval|permission|confirmation)|action required|waiting for (?:user )?(?:approval|confirmation|permission)|wants to\b/iu,
  /\b(?:run|execute|apply|write|edit|create|delete|make|use|invoke|confirm|proceed with|continue with) (?:this|these|the|that|tool|to) ?(?:shell |bash |following )?(?:command|change|edit|file|tool|action|patch|diff|plan|request|operation|call)?s?\b.{0,80}\?/iu,
  /\bready to (?:code|build|execute|submit)\b|\b(?:plan)\b.{0,40}\?/iu,
  /^yes, (?:and|proceed|allow|continue|run|for)|^no, (?:and|tell|suggest|keep|provide|continue|reject|cancel|deny)/iu,
] as const;

/** Rules for any program: by what the screen is like, not by who drew it. */
export const genericRules: readonly Rule[] = [
  { id: 'password', state: 'blocked', kind: 'password', priority: 975, shape: ['password'] },
  { id: 'limit-dialog', state: 'blocked', kind: 'rate-limit', priority: 970, shape: ANY_PROMPT, region: 'dialog', any: limitWords, except: [/approaching|\d+% (?:used|remaining)/iu] },
  { id: 'trust-dialog', state: 'blocked', kind: 'trust', priority: 965, shape: ANY_CHOICE, region: 'dialog', any: trustWords },
  { id: 'trust-host', state: 'blocked', kind: 'trust', priority: 964, shape: ['yes-no', 'input'], region: 'last-line', any: ['continue connecting (yes/no'] },
  { id: 'login-asked', state: 'blocked', kind: 'login', priority: 962, shape: ANY_PROMPT, region: 'asked', any: loginWords },
  { id: 'approval-asked', state: 'blocked', kind: 'approval', priority: 960, shape: ['menu', 'buttons'], region: 'asked', any: approvalWords, not: [/^(?:\S+ )?(?:what|which|how|where|who|when|select|choose|pick)\b(?!.{0,30}proceed)/iu] },
  { id: 'yes-no-choices', state: 'blocked', kind: 'approval', priority: 959, shape: ['menu', 'buttons'], region: 'asked', all: [/^yes(?:$|[, ])/iu, /^no(?:$|[, ])/iu] },
  { id: 'sure', state: 'blocked', kind: 'approval', priority: 957, shape: ['input'], region: 'last-3', any: [/\bare you sure\b/iu, /\btype [\x60'"]?y(?:es)?[\x60'"]? to\b/iu, /\bonly [\x60'"]?yes[\x60'"]? will be accepted\b/iu] },
  { id: 'login-dialog', state: 'blocked', kind: 'login', priority: 958, shape: ANY_PROMPT, region: 'last-12', any: loginWords.filter((_, index) => index !== 2) },
  { id: 'approval-dialog', state: 'blocked', kind: 'approval', priority: 955, shape: ['menu', 'buttons'], region: 'last-12', any: ['requires approval', 'needs your permission', 'waiting for user confirmation', 'permission required', 'waiting for approval', 'action required'] },
  { id: 'yes-no', state: 'blocked', kind: 'approval', priority: 950, shape: ['yes-no'] },
  { id: 'question-menu', state: 'blocked', kind: 'question', priority: 940, shape: ['menu', 'buttons'], region: 'asked', any: [/[?？:]\s*$/u, /\?/u] },
  { id: 'menu', state: 'blocked', kind: 'menu', priority: 935, shape: ['menu', 'buttons'] },
  { id: 'pager', state: 'blocked', kind: 'question', priority: 930, shape: ['pager'] },
  { id: 'editor', state: 'blocked', kind: 'question', priority: 930, shape: ['editor'] },
  { id: 'repl', state: 'blocked', kind: 'question', priority: 930, shape: ['repl'] },
  { id: 'title-action-required', state: 'blocked', kind: 'approval', priority: 925, region: 'title', any: ['action required', 'confirmation needed', 'waiting for approval', 'permission required'] },
  {
    id: 'form-foot', state: 'blocked', kind: 'question', priority: 915, region: 'foot',
    all: [/(?:\benter|\breturn|↵|⏎)(?: to|:)? ?(?:submit|select|confirm|choose|accept|approve|toggle|save)\b/iu, /\b(?:esc\w*|ctrl[+-]c|tab)\b/iu],
    not: [/enter to send|to interrupt|\? for shortcuts|ctrl\+j|shift\+enter|newline/iu],
  },
  { id: 'choose-foot', state: 'blocked', kind: 'menu', priority: 912, region: 'foot', all: [/\(?(?:use enter to select|press enter to submit|use arrow keys|use ↑\/?↓)/iu], without: ['input-line'] },
  { id: 'press-r', state: 'blocked', kind: 'question', priority: 911, region: 'last-3', all: [/^\s*press r to \w+/iu] },
  {
    id: 'device-code', state: 'blocked', kind: 'login', priority: 920, region: 'last-12',
    all: [/https?:\/\/|\bbrowser\b/iu],
    any: [
      /\b(?:enter|copy|use|with|and|your|confirm|the) (?:the |this |your |following |one-time |first copy your )*(?:one-time |device |user |verification |login |auth\w* |confirmation )*code\b.{0,40}/iu,
      /\bwaiting for (?:\w+ ){0,3}(?:auth\w*|log ?in|sign-?in|browser|approval in)/iu,
      /\b(?:open|visit|go to) .{0,60}(?:to|and) (?:\w+ ){0,3}(?:log ?in|sign ?in|authenticate|authorize|login)/iu,
      /\b(?:log ?in|sign ?in|authenticate|authorize)\b.{0,60}\b(?:open|visit|go to|browser|following|at)\b/iu,
      /\bif the browser (?:did|does|has)n'?t? (?:not )?open/iu,
      /\bfinish signing in\b/iu,
    ],
    not: [/\b(?:logged|signed) in as\b|login succe|successfully (?:logged|signed|authenticated)|authentication succe|server (?:running|listening|started)|listening on/iu],
  },
  { id: 'login-wait', state: 'blocked', kind: 'login', priority: 918, region: 'last-8', any: [/\bwaiting for (?:auth(?:entication|orization)?|log ?in|sign-?in)\b.{0,60}(?:…|\.\.\.|\()/iu] },
  { id: 'press-key', state: 'blocked', kind: 'question', priority: 910, shape: ['key'] },
  { id: 'input-strong', state: 'blocked', kind: 'question', priority: 905, strength: 'strong', shape: ['input'], region: 'last-line', any: [/^\s*[?◆]\s/u, /\b(?:username|login|e-?mail|user name)\b.{0,60}:\s*$/iu, /^#\?\s*$/u, /\?/u] },
  { id: 'working', state: 'working', priority: 650, shape: ['working'] },
  { id: 'title-working', state: 'working', priority: 640, region: 'title', any: [/^[\u2801-\u28ff] ?/u, /(?:^| )[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏](?: |$)/u] },
  { id: 'input', state: 'blocked', kind: 'question', priority: 500, strength: 'weak', shape: ['input'] },
  { id: 'shell-prompt', state: 'idle', priority: 300, shape: ['shell'] },
  { id: 'input-line', state: 'idle', priority: 290, shape: ['input-line'] },
];
