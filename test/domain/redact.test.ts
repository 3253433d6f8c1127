import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultRedactPatterns, findGivenSecrets, findSecrets, openRedactor } from '../../src/domain/redact.ts';

const value = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 8, maxLength: 12 });
const secrets = fc
  .array(value, { minLength: 1, maxLength: 4 })
  .map((all) => all.map((value) => ({ name: 'N', value })));
const text = fc.array(fc.oneof(value, fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '\n') })), {
  maxLength: 8,
});

describe('a redactor', () => {
  test('leaves no secret in a text', () => {
    fc.assert(
      fc.property(secrets, text, (secrets, parts) => {
        const shown = openRedactor(secrets).mask(parts.join(''));
        for (const { value } of secrets) expect(shown).not.toContain(value);
      }),
    );
  });

  test('says the same of a text in pieces as of the whole, however it is cut', () => {
    fc.assert(
      fc.property(
        secrets,
        text,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (secrets, parts, sizes) => {
          const whole = parts.join('');
          const redactor = openRedactor(secrets);
          const chunks = redactor.openChunks();
          let shown = '';
          for (let at = 0, turn = 0; at < whole.length; turn++) {
            const size = sizes[turn % sizes.length] ?? 1;
            shown += chunks.push(whole.slice(at, at + size));
            at += size;
          }
          expect(shown + chunks.end()).toBe(redactor.mask(whole));
        },
      ),
    );
  });

  test('leaves a text without secrets as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => openRedactor([{ name: 'N', value: `${text}12345678` }]).mask(text) === text),
    );
  });

  test('shows the name of the variable in the place of its value', () => {
    const redactor = openRedactor([{ name: 'API_KEY', value: 'hunter2hunter2' }]);
    expect(redactor.mask('curl -H "key: hunter2hunter2" x')).toBe('curl -H "key: [API_KEY redacted]" x');
  });

  test('holds back no more than could become a secret', () => {
    const chunks = openRedactor([{ name: 'K', value: 'secret-value' }]).openChunks();
    expect([chunks.push('line 1\nsec'), chunks.push('ond line\n'), chunks.end()]).toEqual([
      'line 1\n',
      'second line\n',
      '',
    ]);
  });
});

describe('secrets of an environment', () => {
  test('are the long values of variables with telling names', () => {
    const env = {
      MY_API_KEY: 'abcdefgh',
      db_password: '12345678',
      TOKEN: 'short',
      PATH: '/usr/bin:/bin',
      X: undefined,
    };
    expect(findSecrets(env, defaultRedactPatterns)).toEqual([
      { name: 'MY_API_KEY', value: 'abcdefgh' },
      { name: 'db_password', value: '12345678' },
    ]);
  });

  test('include the lines of a private key, which a screen shows one by one', () => {
    const pem = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END KEY-----\n';
    const names = findSecrets({ DEPLOY_KEY: pem }, defaultRedactPatterns).map((secret) => secret.value);
    expect(names).toEqual([pem.trim(), 'MIIEvQIBADANBgkqhkiG']);
  });

  test('and those that a run was given: by its file, its tasks and its variables', () => {
    const given = {
      dag: {
        env: { A_TOKEN: 'of the file', PLAIN: 'is shown as it is' },
        vars: { key: 'by default', other: 'is shown as well' },
        tasks: [{ env: { A_TOKEN: 'of a task' } }, { env: { B_SECRET: 'of the file' } }],
      },
      vars: { key: 'by a flag' },
    };
    const values = findGivenSecrets(given, defaultRedactPatterns).map(({ value }) => value);
    expect(values).toEqual(['of the file', 'by default', 'by a flag', 'of a task']);
  });

  test('follow patterns of which only the star is special', () => {
    expect(findSecrets({ 'A.B': 'longenough', AXB: 'longenough' }, ['A.B'])).toHaveLength(1);
  });
});
