/** A range of an object's bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What a store knows about an object. */
export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

/** An object's content on its way in: one buffer, or pieces consumed with back-pressure, each used up before the next is asked for. */
export type ObjectBody = Uint8Array | AsyncIterable<Uint8Array | readonly Uint8Array[]>;

/** Options of every call that takes time. */
export interface StoreCallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Where bytes live under keys. A key is one or more segments joined by `/`; a segment is `[A-Za-z0-9._%+-]+` and neither
 * `.` nor `..`. The store knows nothing of backups. Its contract is executable: `test/contract/objectStore.ts`.
 */
export interface ObjectStore {
  /**
   * Stores an object durably, replacing an earlier one whole. Once it resolves the object survives a crash of the machine;
   * until then, and after a failure or an abort, readers see the earlier object or none, never a part.
   */
  put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void>;
  /** Like `put`, but resolves to false and changes nothing when the key exists; of several callers one gets true. */
  putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean>;
  /** The bytes of the object or of a range of it, in order. Throws `store.missing` when there is no such object, `store.out-of-range` when the range passes its end. */
  get(key: string, range?: ByteRange, options?: StoreCallOptions): AsyncIterable<Uint8Array>;
  /** A whole object or range in one buffer: for records and compressed frames. Errors as `get`. */
  read(key: string, range?: ByteRange, options?: StoreCallOptions): Promise<Buffer>;
  /** Undefined when there is no such object. */
  stat(key: string, options?: StoreCallOptions): Promise<ObjectInfo | undefined>;
  /** Every object whose key starts with `prefix` + `/` (all for the empty prefix), in no promised order; unfinished writes are not listed. */
  list(prefix: string, options?: StoreCallOptions): AsyncIterable<ObjectInfo>;
  /** Removes an object durably; an absent one is no error. */
  delete(key: string, options?: StoreCallOptions): Promise<void>;
  /** Removes what unfinished writes left under `prefix` (a killed process's temporary files). Call it only under the lock that covers the prefix. */
  sweep(prefix: string, options?: StoreCallOptions): Promise<void>;
  /** Free bytes where the objects go, undefined when the store cannot tell. */
  freeBytes(): Promise<number | undefined>;
}
