import type { ObjectStore } from '../store/objectStore.ts';
import type { Clock, LockTimings } from './clock.ts';
import { lockTimings, systemClock } from './clock.ts';
import type { Processes } from './processIdentity.ts';
import { systemProcesses } from './processIdentity.ts';

/** What a lock is kept with. */
export interface LockTools {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly timings: LockTimings;
  readonly processes: Processes;
}

/** What may be put in the place of the machine's clock and processes. */
export type LockToolOptions = Partial<Omit<LockTools, 'store'>>;

/** The machine's own unless the options say otherwise. */
export function lockTools(store: ObjectStore, options: LockToolOptions): LockTools {
  const { clock = systemClock, timings = lockTimings, processes = systemProcesses } = options;
  return { store, clock, timings, processes };
}
