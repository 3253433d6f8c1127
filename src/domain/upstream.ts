/** The environment variable that holds the path of a task's output file for the tasks after it: `CIS_UPSTREAM_MY_TASK`. */
export function upstreamVariable(id: string): string {
  return `CIS_UPSTREAM_${id.toUpperCase().replaceAll(/[^A-Z0-9]/gu, '_')}`;
}

/** Holds the path of a file with the paths of all files that a task left by its `outputs`, one per line: `CIS_FILES_MY_TASK`. */
export function filesVariable(id: string): string {
  return upstreamVariable(id).replace(/^CIS_UPSTREAM/u, 'CIS_FILES');
}

/** Holds the path of the directory in which those files lie. */
export const upstreamDirVariable = 'CIS_UPSTREAM_DIR';
