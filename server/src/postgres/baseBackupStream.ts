import type { Client, DatabaseError } from 'pg';
import { isPointbackError, PointbackError } from '../api/errors.ts';
import { parseLsn, type Lsn } from '../formats/lsn.ts';
import { parseCommandTag, parseDataRow, parseServerMessage, type RowField } from './backendMessages.ts';
import { baseBackupCommand, type BaseBackupOptions } from './baseBackupCommand.ts';
import { baseBackupError } from './baseBackupErrors.ts';
import { exchangeRaw } from './socketTakeover.ts';

/** One archive the server will send. */
export interface ArchiveAnnouncement {
  /** Absent for the base directory. */
  readonly tablespaceOid?: number;
  /** The tablespace's directory on the server, absent for the base directory. */
  readonly location?: string;
  /** The server's estimate of its content, bytes. */
  readonly estimatedBytes: number;
}

/** Where the backup starts and what it will consist of. */
export interface BaseBackupStart {
  readonly startLsn: Lsn;
  readonly startTimeline: number;
  /** Base directory last, as the server lists them. */
  readonly archives: readonly ArchiveAnnouncement[];
}

/** How the stream ended. */
export interface BaseBackupEnd {
  readonly endLsn: Lsn;
  readonly endTimeline: number;
  /** The server's words when its checksum verification found damaged pages: the backup is complete, and broken. */
  readonly checksumFailure?: string;
  /** The server's warnings of damaged pages, in order; the first 1000 of them. */
  readonly checksumWarnings: readonly string[];
  /** How many of them there were. */
  readonly checksumWarningCount: number;
}

/**
 * Takes the backup's bytes. Pieces are valid during the call only. A returned promise pauses the socket; a rejection ends the
 * backup with that error.
 */
export interface BaseBackupSink {
  begin(start: BaseBackupStart): Promise<void> | undefined;
  beginArchive(archive: ArchiveAnnouncement): Promise<void> | undefined;
  /** Tar bytes of the current archive. */
  archiveData(piece: Buffer): Promise<void> | undefined;
  endArchive(): Promise<void> | undefined;
  /** Bytes of the backup manifest, after the last archive. */
  manifestData(piece: Buffer): Promise<void> | undefined;
  warning(text: string): void;
}

/** A badly damaged cluster has a few warnings for every file. */
const mostWarningsKept = 1000;

/**
 * Where the server warns of pages that fail their checksum (basebackup.c, 13 to 18); told apart by the function, since the
 * text is translated. Other warnings, of skipped special files, are no damage.
 */
const checksumRoutines = new Set<string | undefined>([
  'sendFile',
  'read_file_data_into_buffer',
  'verify_page_checksum',
]);

type CopyTarget = 'none' | 'archive' | 'manifest';

/** Interprets the messages of one BASE_BACKUP, of 13 and 14 (a COPY per archive) or of 15 on (one COPY, typed messages). */
export class BaseBackupReceiver {
  readonly #sink: BaseBackupSink;
  readonly #typedMessages: boolean;
  #rows: RowField[][] = [];
  #start: Pick<BaseBackupStart, 'startLsn' | 'startTimeline'> | undefined;
  #archives: readonly ArchiveAnnouncement[] | undefined;
  #copies = 0;
  #target: CopyTarget = 'none';
  /** Subtype of the current CopyData message, 15 on. */
  #subtype = '';
  #control: Buffer[] = [];
  end: Pick<BaseBackupEnd, 'endLsn' | 'endTimeline'> | undefined;
  complete = false;
  error: DatabaseError | undefined;
  readonly checksumWarnings: string[] = [];
  checksumWarningCount = 0;

  constructor(sink: BaseBackupSink, typedMessages: boolean) {
    this.#sink = sink;
    this.#typedMessages = typedMessages;
  }

  message(type: string, body: Buffer): Promise<void> | undefined {
    switch (type) {
      case 'D':
        this.#rows.push(parseDataRow(body));
        return undefined;
      case 'C':
        return this.#commandComplete(parseCommandTag(body));
      case 'H':
        return this.#typedMessages ? undefined : this.#beginUntypedCopy();
      case 'c':
        return this.#endCopy();
      case 'N': {
        const { message, routine } = parseServerMessage(body);
        if (checksumRoutines.has(routine)) this.#checksumWarning(message);
        this.#sink.warning(message);
        return undefined;
      }
      case 'E':
        this.error ??= parseServerMessage(body);
        return undefined;
      default:
        return undefined;
    }
  }

  copyData(piece: Buffer, first: boolean, last: boolean): Promise<void> | undefined {
    if (!this.#typedMessages) return this.#content(piece);
    if (first) {
      this.#subtype = String.fromCharCode(piece[0] ?? 0);
      if (this.#subtype !== 'd') this.#control = [];
    }
    const payload = first ? piece.subarray(1) : piece;
    if (this.#subtype === 'd') return payload.length === 0 ? undefined : this.#content(payload);
    this.#control.push(Buffer.from(payload));
    return last ? this.#controlMessage(Buffer.concat(this.#control)) : undefined;
  }

  #checksumWarning(message: string): void {
    this.checksumWarningCount += 1;
    if (this.checksumWarnings.length < mostWarningsKept) this.checksumWarnings.push(message);
  }

  #content(piece: Buffer): Promise<void> | undefined {
    switch (this.#target) {
      case 'archive':
        return this.#sink.archiveData(piece);
      case 'manifest':
        return this.#sink.manifestData(piece);
      case 'none':
        throw outOfStep('data outside any archive');
    }
  }

  #controlMessage(body: Buffer): Promise<void> | undefined {
    switch (this.#subtype) {
      case 'n': {
        const nameEnd = body.indexOf(0);
        const name = body.toString('utf8', 0, nameEnd);
        const announced = this.#archives?.find((archive) => `${archive.tablespaceOid ?? 'base'}.tar` === name);
        if (announced === undefined) throw outOfStep(`an archive named ${name}`);
        return this.#switchTo('archive', announced);
      }
      case 'm':
        return this.#switchTo('manifest');
      case 'p':
        return undefined;
      default:
        throw outOfStep(`a copy message of type ${this.#subtype}`);
    }
  }

  #beginUntypedCopy(): Promise<void> | undefined {
    const archive = this.#archives?.[this.#copies];
    this.#copies += 1;
    return archive === undefined ? this.#switchTo('manifest') : this.#switchTo('archive', archive);
  }

  #endCopy(): Promise<void> | undefined {
    return this.#switchTo('none');
  }

  #switchTo(target: CopyTarget, archive?: ArchiveAnnouncement): Promise<void> | undefined {
    const ended = this.#target === 'archive' ? this.#sink.endArchive() : undefined;
    this.#target = target;
    if (archive === undefined) return ended;
    return ended === undefined ? this.#sink.beginArchive(archive) : ended.then(() => this.#sink.beginArchive(archive));
  }

  #commandComplete(tag: string): Promise<void> | undefined {
    const rows = this.#rows;
    this.#rows = [];
    if (tag === 'BASE_BACKUP') {
      this.complete = true;
      return undefined;
    }
    if (this.#start === undefined) {
      this.#start = { startLsn: lsnField(rows[0]?.[0]), startTimeline: Number(rows[0]?.[1]) };
      return undefined;
    }
    if (this.#archives === undefined) {
      this.#archives = rows.map(([oid, location, kilobytes]) => ({
        ...(typeof oid === 'string' ? { tablespaceOid: Number(oid) } : {}),
        ...(typeof location === 'string' ? { location } : {}),
        estimatedBytes: Number(kilobytes ?? 0) * 1024,
      }));
      return this.#sink.begin({ ...this.#start, archives: this.#archives });
    }
    this.end = { endLsn: lsnField(rows[0]?.[0]), endTimeline: Number(rows[0]?.[1]) };
    return undefined;
  }
}

function lsnField(field: RowField | undefined): Lsn {
  if (typeof field !== 'string') throw outOfStep('no position where one belongs');
  return parseLsn(field);
}

function outOfStep(what: string): PointbackError {
  return new PointbackError('protocol.broken', { message: `The server's backup stream has ${what}.` });
}

/**
 * Runs BASE_BACKUP on an idle physical replication connection and pours the result into `sink` with back-pressure and
 * constant memory. The connection is spent afterwards. Progress is the caller's, who sees every byte.
 *
 * Throws what `baseBackupError` makes of the server's error, `backup.connection-lost` when the connection ends early,
 * what the sink throws, or the signal's reason. A page checksum failure found by the server is no error here: it is
 * reported in the result, since all bytes have arrived.
 */
export async function streamBaseBackup(
  client: Client,
  serverVersionNumber: number,
  options: BaseBackupOptions,
  sink: BaseBackupSink,
  signal: AbortSignal,
): Promise<BaseBackupEnd> {
  const receiver = new BaseBackupReceiver(sink, serverVersionNumber >= 150000);
  const command = baseBackupCommand(serverVersionNumber, options);
  const ended = await exchangeRaw(client, command, receiver, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    if (receiver.error !== undefined) throw baseBackupError(receiver.error);
    throw isPointbackError(error, 'connection.lost') ? baseBackupError(undefined, error.cause) : error;
  });
  const { error, end, complete, checksumWarnings, checksumWarningCount } = receiver;
  if (error !== undefined) {
    const damagedPages = error.code === 'XX001' && end !== undefined;
    if (!damagedPages) throw baseBackupError(error);
    return { ...end, checksumFailure: error.message, checksumWarnings, checksumWarningCount };
  }
  if (ended === 'closed' || !complete || end === undefined) throw baseBackupError(undefined);
  return { ...end, checksumWarnings, checksumWarningCount };
}
