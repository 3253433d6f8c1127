import { execFileSync } from 'node:child_process';

/** Tests run the built program, so it is built from the sources they stand beside, once per test run. */
export default function build(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
}
