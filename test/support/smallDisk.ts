import { execFile, execFileSync } from 'node:child_process';
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endWithProcess } from './endWithProcess.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporaryDirectory.ts';

const run = promisify(execFile);

/** Whether this account may mount a disk; without it tests of a full one have only stores that pretend. */
export const canMount = process.platform === 'linux' && process.getuid?.() === 0;

/** A file system of its own, in memory, that can be filled up. `await using` unmounts it. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #directory: TemporaryDirectory;
  readonly #withdraw: () => void;

  private constructor(path: string, directory: TemporaryDirectory) {
    this.path = path;
    this.#directory = directory;
    this.#withdraw = endWithProcess(() => {
      execFileSync('umount', ['-l', path]);
    });
  }

  static async mount(mebibytes: number): Promise<SmallDisk> {
    const directory = await temporaryDirectory('disk');
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0755`, 'tmpfs', directory.path]);
    return new SmallDisk(directory.path, directory);
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Fills the disk with something else until only so much is free; rounded up to whole blocks. */
  async leaveFree(bytes: number): Promise<void> {
    await this.clear();
    const rest = (await this.freeBytes()) - bytes;
    const ballast = await open(this.#ballast, 'w');
    try {
      const block = Buffer.alloc(1024 * 1024);
      for (let left = rest; left > 0; left -= block.length) await ballast.write(block, 0, Math.min(left, block.length));
    } finally {
      await ballast.close();
    }
  }

  /** Takes away what fills the disk. */
  async clear(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }

  get #ballast(): string {
    return join(this.path, 'ballast');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    this.#withdraw();
    await this.#directory[Symbol.asyncDispose]();
  }
}
