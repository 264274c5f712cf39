import { createHash } from 'node:crypto';
import { isPointbackError } from '../../api/errors.ts';
import { integer, object, oneOf, optional, text } from '../fields.ts';
import { formatRecord } from '../records.ts';
import type { ObjectStore } from '../store/objectStore.ts';
import type { ProcessIdentity } from './processIdentity.ts';
import type { LockTools } from './tools.ts';

/** A lock's content: who holds it. */
export interface LockHolder extends ProcessIdentity {
  readonly format: 1;
  /** Of this acquisition alone. */
  readonly token: string;
  /** What the lock is held for, a noun: `backup`. */
  readonly purpose: string;
  /** ISO 8601 UTC. */
  readonly since: string;
  /** The one backup a reader reads; absent when it may be any. */
  readonly backup?: string;
  /** Counts up while the holder lives. */
  readonly beat: number;
}

/** A lock or claim as it was seen. */
export interface SeenHolder {
  /** The holder's token; made of the content when that cannot be read. */
  readonly token: string;
  /** Differs when anything about the content does. */
  readonly fingerprint: string;
  /** Undefined when the content cannot be read. */
  readonly holder: LockHolder | undefined;
}

const holderShape = object<LockHolder>({
  format: oneOf(1),
  token: text(/^[0-9a-f-]{36}$/),
  host: text(),
  pid: integer(),
  origin: text(),
  processStart: optional(text()),
  purpose: text(),
  since: text(),
  backup: optional(text()),
  beat: integer(),
});

/** A holder for this process with a token of its own. */
export async function newHolder(
  { clock, processes }: LockTools,
  purpose: string,
  backup?: string,
): Promise<LockHolder> {
  return {
    format: 1,
    token: crypto.randomUUID(),
    ...(await processes.self()),
    purpose,
    since: new Date(clock.wall()).toISOString(),
    ...(backup === undefined ? {} : { backup }),
    beat: 0,
  };
}

/** The holder's bytes for the store. */
export function holderBytes(holder: LockHolder): Buffer {
  return formatRecord(holder);
}

/** Who holds the lock under `key`, undefined when nobody does. */
export async function seeHolder(
  store: ObjectStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<SeenHolder | undefined> {
  let bytes: Buffer;
  try {
    bytes = await store.read(key, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (isPointbackError(error, 'store.missing')) return undefined;
    throw error;
  }
  const fingerprint = createHash('sha256').update(bytes).digest('hex');
  const holder = parseHolder(bytes);
  return { token: holder?.token ?? `unreadable-${fingerprint.slice(0, 32)}`, fingerprint, holder };
}

/** Stores a lock. A call that failed may have stored it all the same; then it is removed, as nobody would ever beat it. */
export async function storeOrRetract<T>(
  store: ObjectStore,
  key: string,
  { token }: LockHolder,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const seen = await seeHolder(store, key, undefined).catch(() => undefined);
    if (seen?.token === token) await store.delete(key).catch(() => undefined);
    throw error;
  }
}

/** A lock that cannot be read is still a lock: it is respected until it is stale. */
function parseHolder(bytes: Buffer): LockHolder | undefined {
  try {
    return holderShape.parse(JSON.parse(bytes.toString('utf8')), '');
  } catch {
    return undefined;
  }
}
