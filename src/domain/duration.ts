/** `0.4s`, `12s`, `1m02s`, `3h05m`: a length of time of something that ended, in milliseconds. */
export function formatDuration(ms: number): string {
  return ms < 9_950 ? `${(Math.max(0, ms) / 1000).toFixed(1)}s` : formatElapsed(Math.round(ms / 1000) * 1000);
}

/** The same without fractions, for something that goes on: it changes once a second. */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours}h${two(minutes)}m`;
  return minutes > 0 ? `${minutes}m${two(seconds % 60)}s` : `${seconds}s`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
