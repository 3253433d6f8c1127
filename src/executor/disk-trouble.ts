/** The machine refuses a file of ours; nothing of this turn was committed, so whoever carries on takes it again. */
export function isDiskTrouble(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(ENOSPC|EDQUOT|EROFS|EACCES|EPERM|EIO|ENOTDIR|EMFILE|ENFILE|SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY).*)$/.test(
    code,
  );
}
