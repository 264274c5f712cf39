import { PointbackError } from '../../api/errors.ts';
import type { ChecksumAlgorithm } from '../../formats/checksum.ts';
import { TarReader } from '../../formats/tar.ts';
import type { ArchiveAnnouncement, BaseBackupSink, BaseBackupStart } from '../../postgres/baseBackupStream.ts';
import type { BackupIndexWriter } from '../../repository/backupIndex.ts';
import type { ArchiveRecord, Compression } from '../../repository/backupRecord.ts';
import { dataKey, manifestKey } from '../../repository/layout.ts';
import type { ObjectStore } from '../../repository/store/objectStore.ts';
import { ArchiveWriter } from '../archive/archiveWriter.ts';
import { FileHasher, type MemberObserver } from '../archive/fileHasher.ts';
import { archiveSuffix } from '../archive/frameCodec.ts';
import { HandOver } from '../archive/handOver.ts';
import type { OperationContext } from '../context.ts';

/** PostgreSQL before 15 leaves the end of an archive to its client: two zero blocks (ustar). */
const tarTerminator = Buffer.alloc(1024);
const manifestPiecesAhead = 64;
/** Between two reports of progress: often enough for a slow server to be seen at work. */
const reportMs = 200;

/** What the sink needs to know. */
export interface BackupSinkParameters {
  readonly store: ObjectStore;
  readonly instance: string;
  readonly id: string;
  readonly compression: Compression;
  readonly algorithm: ChecksumAlgorithm;
  readonly serverVersionNumber: number;
  readonly index: BackupIndexWriter;
  readonly observers: readonly MemberObserver[];
  /** Called once the server has announced start and sizes, before any byte is written. */
  readonly onStart: (start: BaseBackupStart, estimatedBytes: number) => Promise<void>;
}

/** Takes a base backup's stream into the repository: archives in frames, every file hashed on its way, the manifest as it came. */
export class BackupSink implements BaseBackupSink {
  readonly #parameters: BackupSinkParameters;
  readonly #context: OperationContext;
  readonly #hasher: FileHasher;
  readonly #archives: ArchiveRecord[] = [];
  #tar: TarReader | undefined;
  #writer: ArchiveWriter | undefined;
  #announced: ArchiveAnnouncement | undefined;
  #manifest: HandOver<Buffer> | undefined;
  #manifestStored: Promise<void> | undefined;
  #estimatedBytes = 0;
  #doneBytes = 0;
  #reportedAt = 0;
  #aborted: Error | undefined;
  manifestBytes = 0;

  constructor(parameters: BackupSinkParameters, context: OperationContext) {
    this.#parameters = parameters;
    this.#context = context;
    this.#hasher = new FileHasher(parameters.algorithm, [
      ...parameters.observers,
      {
        file: (digest) => {
          parameters.index.addFile(digest);
        },
      },
    ]);
  }

  /** The archives stored so far, base directory first. */
  get archives(): readonly ArchiveRecord[] {
    return [...this.#archives].sort((a, b) => (a.tablespaceOid ?? 0) - (b.tablespaceOid ?? 0));
  }

  async begin(start: BaseBackupStart): Promise<void> {
    this.#estimatedBytes = start.archives.reduce((sum, archive) => sum + archive.estimatedBytes, 0);
    await this.#parameters.onStart(start, this.#estimatedBytes);
    this.#report();
  }

  beginArchive(archive: ArchiveAnnouncement): undefined {
    this.#requireOpen();
    const { store, instance, id, compression } = this.#parameters;
    this.#announced = archive;
    this.#hasher.beginArchive(archive.tablespaceOid);
    this.#tar = new TarReader(this.#hasher);
    this.#writer = new ArchiveWriter(
      store,
      dataKey(instance, id, this.#archiveName(archive)),
      compression,
      this.#context.signal,
    );
  }

  archiveData(piece: Buffer): Promise<void> | undefined {
    this.#tar?.push(piece);
    this.#doneBytes += piece.length;
    const wait = this.#writer?.write(piece);
    if (performance.now() - this.#reportedAt >= reportMs) this.#report();
    return wait;
  }

  async endArchive(): Promise<void> {
    const { index, serverVersionNumber } = this.#parameters;
    const announced = this.#announced;
    const writer = this.#writer;
    if (announced === undefined || writer === undefined) return;
    if (serverVersionNumber < 150000) await this.archiveData(tarTerminator);
    this.#tar?.end();
    if (this.#tar?.terminated !== true) throw unterminated(this.#archiveName(announced));
    const written = await writer.finish();
    this.#writer = undefined;
    const name = this.#archiveName(announced);
    index.addArchive({ name, ...written });
    this.#archives.push({
      name,
      ...(announced.tablespaceOid === undefined ? {} : { tablespaceOid: announced.tablespaceOid }),
      ...(announced.location === undefined ? {} : { location: announced.location }),
      tarBytes: written.tarBytes,
      storedBytes: written.storedBytes,
    });
    this.#report();
  }

  manifestData(piece: Buffer): Promise<void> | undefined {
    this.manifestBytes += piece.length;
    if (this.#manifest === undefined) {
      this.#requireOpen();
      const { store, instance, id } = this.#parameters;
      const manifest = new HandOver<Buffer>(manifestPiecesAhead);
      this.#manifest = manifest;
      this.#manifestStored = store.put(manifestKey(instance, id), manifest, { signal: this.#context.signal });
      // Seen in `finish`. A store that failed before it took anything leaves us waiting.
      this.#manifestStored.catch((error: unknown) => {
        manifest.fail(error instanceof Error ? error : new Error(String(error)));
      });
    }
    return this.#manifest.push(Buffer.from(piece));
  }

  warning(text: string): void {
    this.#context.log('warning', `server: ${text}`);
  }

  /** Resolves once everything received is durable. Throws `protocol.broken` when no manifest came. */
  async finish(): Promise<void> {
    if (this.#manifest === undefined) {
      throw new PointbackError('protocol.broken', { message: 'The server sent no backup manifest.' });
    }
    this.#manifest.end();
    await this.#manifestStored;
  }

  /** Stops all writing, so that what was written can be removed. */
  async abort(reason: Error): Promise<void> {
    this.#aborted = reason;
    this.#manifest?.fail(reason);
    await this.#writer?.abort(reason);
    await this.#manifestStored?.catch(() => undefined);
  }

  /** A step that was waited for may come after `abort`: it must begin nothing that nobody would end. */
  #requireOpen(): void {
    if (this.#aborted !== undefined) throw this.#aborted;
  }

  #archiveName({ tablespaceOid }: ArchiveAnnouncement): string {
    return `${tablespaceOid ?? 'base'}${archiveSuffix[this.#parameters.compression.method]}`;
  }

  #report(): void {
    this.#reportedAt = performance.now();
    this.#context.progress({
      phase: 'receiving',
      doneBytes: this.#doneBytes,
      totalBytes: Math.max(this.#estimatedBytes, this.#doneBytes),
      ...(this.#announced === undefined ? {} : { detail: this.#archiveName(this.#announced) }),
    });
  }
}

function unterminated(archive: string): PointbackError {
  return new PointbackError('tar.damaged', {
    message: `The server ended ${archive} without the blocks that end a tar archive.`,
  });
}
