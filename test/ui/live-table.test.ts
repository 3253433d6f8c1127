import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openWorld } from '../support/world.ts';

const program = resolve('test/fixtures/paints-a-run.mjs');
const colour = { NO_COLOR: undefined };
/** What a clock shows differs from run to run. */
const calm = (screen: string) => screen.replaceAll(/\b\d+(?:\.\d)?s/g, 'Ns');

describe('the live table on a terminal', () => {
  test('is repainted in place, keeps what stood above, and stays when the run is over', async () => {
    await using world = openWorld();
    const terminal = world.terminal(['5'], { program, cols: 90, rows: 20 });
    await terminal.waitForText('0/5');
    terminal.type('n');
    await terminal.waitForText('1 running');
    terminal.type('n');
    await terminal.waitForText('翻訳');
    terminal.type('n');
    await terminal.waitForText('1 waits for you · 1 running'); // the last line of that frame
    expect(calm(terminal.screen())).toMatchInlineSnapshot(`
      " demo  brave-otter

       ✓  plan                Ns
       ✋ implement claude      Ns  Allow 運行 this?  npm test
          cis dag unblock brave-otter:implement --choose N   1 Yes  [2 No]
       ●  translate             Ns  翻訳しています 👩‍💻 red 한국어로 번역하는 중입니다 翻訳してい…
       ·  review                    after implement, translate
       ·  ship                    

       ━━━━━━────────────────────────  1/5 · Ns · 1 waits for you · 1 running"
    `);
    terminal.type('nn');
    const last = await terminal.waitForText('left: end');
    expect(await terminal.ended).toEqual({ code: 0, signal: null });
    expect(last.match(/brave-otter\b(?!:)/g)).toHaveLength(1);
    expect(last).toContain('failed: translate failed');
    expect(last.indexOf('left: end')).toBeGreaterThan(last.indexOf('2/5'));
  });

  test('hides the cursor while it is there and gives all back at its end', async () => {
    await using world = openWorld();
    const terminal = world.terminal([], { program, env: colour });
    await terminal.waitForText('0/5');
    terminal.type('\u0003\u0003');
    await terminal.ended;
    const bytes = terminal.output().toString();
    expect(bytes.indexOf('\u001B[?25l')).toBeLessThan(bytes.indexOf('demo'));
    expect(bytes.lastIndexOf('\u001B[?25h')).toBeGreaterThan(bytes.lastIndexOf('\u001B[?25l'));
    expect(bytes.lastIndexOf('\u001B[?7h')).toBeGreaterThan(bytes.lastIndexOf('\u001B[?7l'));
  });

  test('follows the size of the terminal, narrow and wide', async () => {
    await using world = openWorld();
    const terminal = world.terminal(['300'], { program, cols: 100, rows: 12 });
    await terminal.waitForText('0/300');
    terminal.type('nnn');
    await terminal.waitForText('--choose N');
    expect(terminal.screen().split('\n').length).toBeLessThanOrEqual(12);
    terminal.resize(44, 8);
    await terminal.waitFor((screen) => !screen.includes('--choose') && screen.includes('1/300'));
    expect(terminal.screen().split('\n').length).toBeLessThanOrEqual(8);
    terminal.resize(100, 30);
    const wide = await terminal.waitFor(
      (screen) => screen.includes('--choose') && screen.includes('task-20') && screen,
    );
    expect(wide.match(/implement +claude/g)).toHaveLength(1);
  });

  test('asks at Ctrl-C, goes on if told to, and ends at the second', async () => {
    await using world = openWorld();
    const terminal = world.terminal([], { program });
    await terminal.waitForText('0/5');
    terminal.type('\u0003');
    await terminal.waitForText('d detach');
    terminal.type('c');
    await terminal.waitFor((screen) => !screen.includes('d detach'));
    terminal.type('\u0003');
    await terminal.waitForText('d detach');
    terminal.type('d');
    await terminal.waitForText('left: detach');
    await terminal.ended;
    const other = world.terminal([], { program });
    await other.waitForText('0/5');
    other.signal('SIGINT');
    await other.waitForText('d detach');
    other.type('\u0003');
    await other.waitForText('left: abort');
    await other.ended;
  });

  test('is plain lines where the terminal cannot do better', async () => {
    await using world = openWorld();
    const terminal = world.terminal([], { program, env: { TERM: 'dumb' } });
    await terminal.waitForText('ready');
    terminal.type('nnnnn');
    await terminal.waitForText('left: end');
    await terminal.ended;
    // eslint-disable-next-line no-control-regex
    expect(terminal.output().toString()).not.toMatch(/\u001B/);
  });
});
