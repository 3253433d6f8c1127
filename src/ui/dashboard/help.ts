/** What the keys do, as `?` shows it. */
export const helpLines: readonly string[] = [
  'up down       move, Tab: to the next part',
  'Enter, click  unfold a run, open an output',
  '1-9 y n       answer what is asked',
  't             answer with a text',
  'a             attach, C-] d comes back',
  'k             kill a session',
  'p             pause or resume a run',
  'Esc           back to the list',
  'q             quit; everything goes on',
];
