/** A segment of a key: file systems, object storage and URLs all take these characters as they are. */
const segmentPattern = /^[A-Za-z0-9._%+-]+$/;

/** Whether a name may be a segment of a key. Temporary names of a store contain a character that no segment has. */
export function isKeySegment(name: string): boolean {
  return segmentPattern.test(name) && name !== '.' && name !== '..';
}

/** Throws a RangeError unless `key` is one: keys are built by `layout.ts`, so a bad one is a fault of ours. */
export function assertKey(key: string): void {
  if (!key.split('/').every(isKeySegment)) throw new RangeError(`not a key: ${JSON.stringify(key)}`);
}

/** Throws a RangeError unless `prefix` is a key or empty. */
export function assertPrefix(prefix: string): void {
  if (prefix !== '') assertKey(prefix);
}
