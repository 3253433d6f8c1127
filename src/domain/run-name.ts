import type { RunId } from './ids.ts';

const adjectives =
  'amber bold brave brisk calm clear clever cosy eager early fair fleet fond frank fresh gentle glad grand happy keen kind light lively lucky mellow merry mild neat noble plain proud quick quiet ready rosy silver snug sober solid spry steady still sunny swift tidy warm wise witty young'.split(
    ' ',
  );
const nouns =
  'badger beaver bison crane curlew deer dove eagle falcon ferret finch fox gecko goose hare hawk heron ibex jay kestrel kite lark lynx marmot marten mole moose newt osprey otter owl panda pike plover puffin quail raven robin seal shrew sparrow stork swan swift tern thrush toad trout vole wren'.split(
    ' ',
  );

/** Makes a short id that can be said aloud, such as `brave-otter-4f2a`, from 32 random bits. */
export function nameRun(random: number): RunId {
  const adjective = adjectives[random % adjectives.length] ?? 'plain';
  const noun = nouns[Math.floor(random / adjectives.length) % nouns.length] ?? 'otter';
  const tail = (Math.floor(random / (adjectives.length * nouns.length)) % 65_536).toString(16).padStart(4, '0');
  return `${adjective}-${noun}-${tail}` as RunId;
}
