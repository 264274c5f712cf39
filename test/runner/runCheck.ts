import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Result } from './result.ts';

/** The programs of `npm run check`, as paths below node_modules, with their arguments. Each counts as one test. */
export const checks = [
  { name: 'tsc', program: 'typescript/bin/tsc', args: ['--noEmit'] },
  { name: 'eslint', program: 'eslint/bin/eslint.js', args: ['.'] },
  { name: 'prettier', program: 'prettier/bin/prettier.cjs', args: ['--check', '--log-level', 'warn', '.'] },
] as const;

/** Runs one of the checks in the checkout. */
export async function runCheck(root: string, check: (typeof checks)[number]): Promise<Result> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(root, 'node_modules', check.program), ...check.args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return {
    subject: `check: ${check.name}`,
    passed: code === 0 ? 1 : 0,
    failures: code === 0 ? [] : [{ name: check.name, text: output.trim() }],
    skipped: [],
    durationMs: performance.now() - startedAt,
  };
}
