import type { Scene } from './asking.ts';

const repo = 'git init -q .';

/** What coding agents ask before they can do anything: a folder to be trusted, an account to be named. */
export const firstStarts: readonly Scene[] = [
  { name: 'first-pi', agent: 'pi', version: '0.73.1', as: 'root', cols: 100, rows: 30, setup: repo, run: 'pi', steps: [{ see: /No models available/u, is: { state: 'blocked', kind: 'login' }, withinMs: 20_000 }] },
  { name: 'first-aider', agent: 'aider', as: 'root', cols: 100, rows: 30, setup: repo, run: 'aider --no-check-update --no-analytics', steps: [
    { see: /OpenRouter/u, is: { state: 'blocked', kind: 'login' }, withinMs: 30_000 },
  ] },
  { name: 'first-gemini', agent: 'gemini', version: '0.61.0', as: 'root', cols: 100, rows: 40, setup: repo, run: 'gemini', steps: [
    { see: /Do you trust the files/u, is: { state: 'blocked', kind: 'trust', selected: 0 }, withinMs: 20_000 },
    { keys: '\r' },
    { see: /How would you like to authenticate/u, is: { state: 'blocked', kind: 'login' }, withinMs: 20_000 },
  ] },
  { name: 'first-kimi', agent: 'kimi', version: '2.1.0', as: 'root', cols: 80, rows: 24, setup: repo, run: 'kimi', steps: [
    { see: /Trust this folder/u, is: { state: 'blocked', kind: 'trust', selected: 0 }, withinMs: 20_000 },
    { keys: '\r' },
    { see: /login/iu, is: { state: 'blocked', kind: 'login' }, withinMs: 20_000 },
  ] },
];
