/** What an operation is doing, in the order a user reads it. Silent phases have a name of their own: silence is no hang. */
export type Phase =
  | 'connecting'
  | 'waiting for checkpoint'
  | 'receiving'
  | 'checking'
  | 'verifying'
  | 'restoring'
  | 'syncing'
  | 'starting server'
  | 'deleting'
  | 'finishing';

/** A step of an operation's progress, sent by the engine, shown as a bar, a notification or a log line. */
export interface ProgressEvent {
  readonly phase: Phase;
  /** Bytes of database content done so far (uncompressed). */
  readonly doneBytes?: number;
  /** Bytes of database content expected; an estimate, so done may pass it. */
  readonly totalBytes?: number;
  /** The file or archive at work, for humans. */
  readonly detail?: string;
}
