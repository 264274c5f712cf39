import { randomBytes } from 'node:crypto';
import { lchown, lstat, mkdir, open, readFile, readdir, rename, rm, symlink, unlink } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { filePathFromText } from '../../formats/filePath.ts';
import { parseControlFile } from '../../formats/controlFile.ts';
import { formatTablespaceMap } from '../../formats/tablespaceMap.ts';
import { preloadLibrariesOf } from './configurationText.ts';
import { expandedSettings } from './expandedSettings.ts';
import { quarantineHbaFile, quarantineIdentFile, restoreRecordFile } from './layoutOfCopy.ts';
import {
  formatSettings,
  quarantineHba,
  quarantineIdent,
  quarantineSettings,
  recoveryFile,
  sortPreloadLibraries,
} from './quarantine.ts';
import type { RestorePlan } from './restorePlan.ts';

/** Everything a restored data directory holds that did not come out of the archives. */
export class CopyFiles {
  readonly #plan: RestorePlan;
  readonly #fileMode: number;
  readonly #directory: string;

  /** @param directory the way to the target directory while it is written. */
  constructor(plan: RestorePlan, fileMode: number, directory: string) {
    this.#plan = plan;
    this.#fileMode = fileMode;
    this.#directory = directory;
  }

  /** Writes a file of Pointback's own, replacing what is there by rename. `path` is relative to the data directory. */
  async write(path: string, content: string | Buffer): Promise<void> {
    const place = this.#place(path);
    const temporary = `${place}.${randomBytes(8).toString('hex')}`;
    const { owner } = this.#plan;
    // A new file: nothing that lies there under this name is written to.
    const file = await open(temporary, 'wx', this.#fileMode);
    try {
      await file.writeFile(content);
      if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    } finally {
      await file.close();
    }
    await rename(temporary, place);
  }

  /** Removes a file if it is there. */
  async remove(path: string): Promise<void> {
    await rm(this.#place(path), { force: true });
  }

  /** Links every tablespace into pg_tblspc and writes the map the server reads at its first start. */
  async linkTablespaces(): Promise<void> {
    const { tablespaces, backup, owner } = this.#plan;
    if (tablespaces.length === 0) return;
    for (const { oid, to } of tablespaces) {
      const link = this.#place(`pg_tblspc/${oid}`);
      if (await exists(link)) await unlink(link);
      await symlink(to, link, 'junction');
      if (owner !== undefined) await lchown(link, owner.uid, owner.gid);
    }
    const map = tablespaces.map(({ oid, to }) => ({ oid, location: filePathFromText(to) }));
    await this.write('tablespace_map', formatTablespaceMap(map, Math.floor(backup.serverVersionNumber / 10000)));
  }

  /** Makes a folder inside the data directory, for `write`. */
  async makeFolder(path: string): Promise<void> {
    const { owner } = this.#plan;
    // Whoever may read a file of the copy may also enter its folder.
    await mkdir(this.#place(path), { mode: this.#fileMode | ((this.#fileMode & 0o444) >> 2) });
    if (owner !== undefined) await lchown(this.#place(path), owner.uid, owner.gid);
  }

  /** Whether a file or directory is there. */
  async has(path: string): Promise<boolean> {
    return exists(this.#place(path));
  }

  /** What a directory holds; nothing when it is none. */
  async names(path: string): Promise<string[]> {
    return readdir(this.#place(path)).catch(() => []);
  }

  /** Puts the copy into quarantine and recovery, see `quarantineSettings`. Returns the preload libraries it left out. */
  async quarantine(unfinishedControlFile: Buffer): Promise<readonly string[]> {
    const { targetDirectory, port, start, backup, owner } = this.#plan;
    const control = parseControlFile(await readFile(unfinishedControlFile));
    const written = await this.text('postgresql.auto.conf');
    const preloadLibraries = preloadLibrariesOf(`${await expandedSettings(this)}\n${written}`);
    const promote = start?.promote ?? false;
    const settings = quarantineSettings({
      dataDirectory: targetDirectory,
      port,
      promote,
      from: backup.from,
      major: Math.floor(backup.serverVersionNumber / 10000),
      control,
      preloadLibraries,
    });
    const systemUsers = [userInfo().username, ...(owner === undefined ? [] : [owner.name])];
    await this.write(quarantineHbaFile, quarantineHba(start?.method.kind === 'container'));
    await this.write(quarantineIdentFile, quarantineIdent(systemUsers, backup.loginRole));
    await this.write(
      restoreRecordFile,
      `${JSON.stringify({ format: 1, instance: this.#plan.instance, backup: backup.id, quarantine: [...settings.keys()] }, null, 2)}\n`,
    );
    const heading = '\n# Pointback quarantine: see docs/restore.md, "Leaving the quarantine".\n';
    const ours = Buffer.from(`${heading}${formatSettings(settings)}`);
    await this.write('postgresql.auto.conf', Buffer.concat([Buffer.from(written, 'latin1'), ours]));
    await this.remove('standby.signal');
    await this.write(recoveryFile({ from: backup.from, promote }), '');
    return sortPreloadLibraries(preloadLibraries).leftOut;
  }

  /** The content of a file of the copy, latin1; empty when it is not there. */
  async text(path: string): Promise<string> {
    // Bytes in, bytes out: what is not ours must come back as it was.
    return readFile(this.#place(path), 'latin1').catch(() => '');
  }

  #place(path: string): string {
    return join(this.#directory, path);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
