'use strict';

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { createRequire, wrap } = require('node:module');

/**
 * Loads a program of `dist`, and what it requires there, with the code that an earlier call of the same command compiled.
 * Node's own cache keeps no function that is compiled when it is first called, which is nearly all of them: `dag run` spent a fifth
 * of its start on that (bench/NOTES.md).
 *
 * One file per command has the code of all that it loaded. V8 compares no more than versions, flags and lengths, so the directory
 * is named after this build and this Node; the files of `dist` have the hash of their content in their names, but for the program.
 */
module.exports = function load(program, command, cacheDir) {
  const dist = path.dirname(program);
  const cache = command === null || cacheDir === null ? null : openCache(program, command, cacheDir);
  const external = createRequire(program);
  const modules = new Map();

  function need(id) {
    return id.startsWith('./') ? run(path.join(dist, id)) : external(id);
  }
  need.resolve = external.resolve;

  function run(file) {
    const known = modules.get(file);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    modules.set(file, module);
    try {
      compile(file).call(module.exports, module.exports, need, module, file, dist);
    } catch (error) {
      modules.delete(file);
      throw error;
    }
    return module.exports;
  }

  function compile(file) {
    const cachedData = cache?.read(path.basename(file));
    const code = wrap(fs.readFileSync(file, 'utf8'));
    const script = new vm.Script(code, { filename: file, cachedData });
    cache?.note(path.basename(file), script);
    return script.runInThisContext();
  }

  if (cache !== null) process.on('exit', (code) => code === 0 && cache.save());
  return run(program);
};

function openCache(program, command, cacheDir) {
  const { mtimeMs, size } = fs.statSync(program);
  const build = `${process.version}-${process.arch}-${process.geteuid?.() ?? 0}-${Math.round(mtimeMs)}-${size}`;
  const file = path.join(cacheDir, build, command);
  const before = readCache(file);
  const scripts = new Map();
  let isComplete = true;
  return {
    read: (name) => before.get(name),
    note(name, script) {
      scripts.set(name, script);
      if (!before.has(name) || script.cachedDataRejected) isComplete = false;
    },
    save() {
      if (isComplete) return;
      const made = [...scripts].map(([name, script]) => [name, script.createCachedData()]);
      try {
        writeCache(file, new Map([...before, ...made]));
        removeOthers(cacheDir, build);
      } catch {
        // a full or read-only disk: the next start takes as long as this one
      }
    },
  };
}

/** The file: length of the index, index ([name, length] each, as JSON), the code of each. */
function readCache(file) {
  const code = new Map();
  let bytes;
  try {
    bytes = fs.readFileSync(file);
    const start = 4 + bytes.readUInt32LE(0);
    const index = JSON.parse(bytes.toString('utf8', 4, start));
    let at = start;
    for (const [name, length] of index) {
      code.set(name, bytes.subarray(at, at + length));
      at += length;
    }
    return at === bytes.length ? code : new Map();
  } catch {
    return new Map();
  }
}

/** Whole or not at all, also after a power cut: V8 believes what it is given. */
function writeCache(file, code) {
  const index = Buffer.from(JSON.stringify([...code].map(([name, { length }]) => [name, length])));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(index.length);
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const part = `${file}.${process.pid}`;
  const fd = fs.openSync(part, 'w', 0o600);
  try {
    fs.writeSync(fd, Buffer.concat([head, index, ...code.values()]));
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(part, file);
}

/** What earlier builds kept; another build beside this one makes its own again. */
function removeOthers(cacheDir, build) {
  for (const name of fs.readdirSync(cacheDir)) {
    if (name !== build) fs.rmSync(path.join(cacheDir, name), { recursive: true, force: true });
  }
}
