import { setTimeout as delay } from 'node:timers/promises';
import { PointbackError } from '../../api/errors.ts';

const pauseMs = 50;

/**
 * Asks again and again until `condition` holds. Throws `restored-server.failed` after `timeoutMs` and the signal's reason.
 */
export async function untilTrue(
  condition: () => Promise<boolean>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new PointbackError('restored-server.failed', {
        message: `The restored server was not ready within ${Math.round(timeoutMs / 60_000)} minutes.`,
      });
    }
    await delay(pauseMs, undefined, { signal });
  }
}
