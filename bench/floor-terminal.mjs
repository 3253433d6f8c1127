// The least Node program that keeps a terminal: node-pty, all output to a file, a screen (@xterm/headless). Three uses of it:
//
//   record COMMAND FILE         runs the command, keeps every byte in the file, feeds the screen, ends with it
//   host SOCKET DIR COMMAND...  runs the commands, one terminal each; a client gets the screen of the first one, then its output
//   client SOCKET               raw mode: keys to the host, its output to this terminal
import { openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';

const [, , use, ...args] = process.argv;

if (use === 'record') record(...args);
else if (use === 'host') host(...args);
else if (use === 'client') attach(...args);
else process.exitCode = 2;

function record(command, file) {
  const terminal = openTerminal(command, file);
  terminal.pty.onExit(({ exitCode }) => {
    terminal.flush();
    process.exit(exitCode);
  });
}

/** More output than this that the screen has not taken yet stops the reading, so that memory stays bounded. */
const maxUnfed = 1024 * 1024;

function openTerminal(command, file, onBytes = () => {}) {
  const require = createRequire(import.meta.url);
  const { spawn } = require('node-pty');
  const { Terminal } = require('@xterm/headless');
  const screen = new Terminal({ cols: 80, rows: 24, scrollback: 0, allowProposedApi: true });
  const pty = spawn('/bin/sh', ['-c', command], { cols: 80, rows: 24, encoding: null, env: process.env });
  const recording = openSync(file, 'a', 0o600);
  let unwritten = [];
  let unfed = 0;

  /** What came in one turn of the event loop is one write: a terminal hands out 4 KiB at most at a time. */
  function flush() {
    if (unwritten.length === 0) return;
    const bytes = unwritten.length === 1 ? unwritten[0] : Buffer.concat(unwritten);
    unwritten = [];
    writeSync(recording, bytes);
    onBytes(bytes);
    unfed += bytes.length;
    screen.write(bytes, () => {
      if (unfed > maxUnfed && unfed - bytes.length <= maxUnfed) pty.resume();
      unfed -= bytes.length;
    });
    if (unfed > maxUnfed) pty.pause();
  }

  pty.onData((bytes) => {
    if (unwritten.length === 0) setImmediate(flush);
    unwritten.push(bytes);
  });
  return { pty, screen, flush };
}

function host(path, dir, ...commands) {
  const clients = new Set();
  const [first] = commands.map((command, index) =>
    openTerminal(command, `${dir}/floor-${index}.out`, (bytes) => {
      if (index === 0) for (const client of clients) client.write(bytes);
    }),
  );
  createServer((client) => {
    client.write(readLines(first.screen).join('\r\n'));
    clients.add(client);
    client.on('data', (keys) => first.pty.write(keys));
    client.on('error', () => {});
    client.on('close', () => clients.delete(client));
  }).listen(path, () => console.log('up'));
}

/** The text of the screen is the least that can be sent: colours would cost more. */
function readLines({ rows, buffer: { active } }) {
  return Array.from({ length: rows }, (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '');
}

function attach(path) {
  process.stdin.setRawMode(true);
  const socket = connect(path);
  socket.on('data', (bytes) => writeSync(1, bytes));
  socket.on('close', () => process.exit(0));
  process.stdin.on('data', (keys) => socket.write(keys));
}
