import { openFrame, type Screen } from './frame.ts';

export interface LiveScreen extends Screen {
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/** Something painted in place that changes by itself and with time. */
export interface Live extends Disposable {
  /** Says that there may be something new to show; it is painted soon, at most ten times a second. */
  changed(): void;
  /** Paints at once. */
  paint(): void;
}

const betweenFramesMs = 100;

/**
 * Keeps the lines of `render` on the terminal: after `changed`, after a resize, and each second while `ticks` says that a clock
 * on it runs. When nothing changes nothing is done.
 */
export function openLive(
  screen: LiveScreen,
  render: (columns: number, rows: number) => readonly string[],
  ticks: () => boolean,
): Live {
  const frame = openFrame(screen);
  let paintedAt = -Infinity;
  let pending: NodeJS.Timeout | null = null;
  let second: NodeJS.Timeout | null = null;
  const paint = () => {
    clear();
    paintedAt = performance.now();
    frame.draw(render(screen.columns ?? 80, screen.rows ?? 24));
    if (ticks()) second = setTimeout(paint, 1_000).unref();
  };
  const clear = () => {
    if (pending !== null) clearTimeout(pending);
    if (second !== null) clearTimeout(second);
    pending = second = null;
  };
  const changed = () => {
    pending ??= setTimeout(paint, Math.max(0, paintedAt + betweenFramesMs - performance.now()));
  };
  const resize = () => {
    frame.resized();
    paint();
  };
  screen.on('resize', resize);
  return {
    changed,
    paint,
    [Symbol.dispose]: () => {
      clear();
      screen.off('resize', resize);
      frame[Symbol.dispose]();
    },
  };
}
