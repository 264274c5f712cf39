import { spawn, type SpawnOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What one run of a command took. */
export interface Measurement {
  readonly seconds: number;
  /** Highest resident memory of the process itself seen, bytes; 0 where /proc does not tell. */
  readonly peakMemory: number;
}

const pollMs = 50;

function residentPeak(pid: number): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Runs a command to its end and measures it as a whole process. Throws with what it printed when it fails. */
export async function measure(
  program: string,
  words: readonly string[],
  options: Pick<SpawnOptions, 'env'> = {},
): Promise<Measurement> {
  const startedAt = performance.now();
  const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-4000);
    });
  }
  let peakMemory = 0;
  const poll = setInterval(() => {
    if (child.pid !== undefined) peakMemory = Math.max(peakMemory, residentPeak(child.pid));
  }, pollMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${String(code)}:\n${printed}`);
    return { seconds: (performance.now() - startedAt) / 1000, peakMemory };
  } finally {
    clearInterval(poll);
  }
}

/** The middle one of the sorted values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
