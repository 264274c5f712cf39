import { chmod, chown, lstat, mkdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { filePathFromText } from '../../formats/filePath.ts';
import { parseControlFile } from '../../formats/controlFile.ts';
import { formatTablespaceMap } from '../../formats/tablespaceMap.ts';
import { configurationKey } from '../../repository/layout.ts';
import { confineConfiguration, neutralizeConfiguration, preloadLibrariesOf } from './configurationText.ts';
import { copyFolder, quarantineHbaFile, quarantineIdentFile, restoreRecordFile } from './layoutOfCopy.ts';
import {
  formatSettings,
  quarantineHba,
  quarantineIdent,
  quarantineSettings,
  sortPreloadLibraries,
} from './quarantine.ts';
import type { RestorePlan } from './restorePlan.ts';

/** Everything a restored data directory holds that did not come out of the archives. */
export class CopyFiles {
  readonly #plan: RestorePlan;
  readonly #fileMode: number;
  readonly #directoryMode: number;

  constructor(plan: RestorePlan, fileMode: number, directoryMode: number) {
    this.#plan = plan;
    this.#fileMode = fileMode;
    this.#directoryMode = directoryMode;
  }

  /** Makes a directory with the copy's owner and mode; existing ones get both. Returns the topmost one it created. */
  async makeDirectory(path: string): Promise<string | undefined> {
    const first = await mkdir(path, { recursive: true, mode: this.#directoryMode });
    await chmod(path, this.#directoryMode);
    await this.#own(path);
    // Directories above, created on the way, must be passable for the owner too.
    for (let at = path; first !== undefined && at !== first;) {
      at = dirname(at);
      await this.#own(at);
    }
    return first;
  }

  /** Writes a file of Pointback's own, replacing what is there by rename. `path` is relative to the data directory. */
  async write(path: string, content: string | Buffer): Promise<void> {
    const place = this.#place(path);
    const temporary = `${place}.pointback-new`;
    await writeFile(temporary, content, { mode: this.#fileMode, flag: 'w' });
    await this.#own(temporary);
    await rename(temporary, place);
  }

  /** Removes a file if it is there. */
  async remove(path: string): Promise<void> {
    await rm(this.#place(path), { force: true });
  }

  /** Links every tablespace into pg_tblspc and writes the map the server reads at its first start. */
  async linkTablespaces(): Promise<void> {
    const { tablespaces, backup } = this.#plan;
    if (tablespaces.length === 0) return;
    for (const { oid, to } of tablespaces) {
      const link = this.#place(`pg_tblspc/${oid}`);
      if (await exists(link)) await unlink(link);
      await symlink(to, link, 'junction');
    }
    const map = tablespaces.map(({ oid, to }) => ({ oid, location: filePathFromText(to) }));
    await this.write('tablespace_map', formatTablespaceMap(map, Math.floor(backup.serverVersionNumber / 10000)));
  }

  /**
   * The configuration the original ran with, without what points outside: as captured where it lay outside the data
   * directory (a file of that name inside was not in use), else as restored, else plain.
   */
  async provideConfiguration(): Promise<void> {
    const { repository, instance, backup } = this.#plan;
    const restored = await this.#text('postgresql.conf');
    const confined = confineConfiguration(restored);
    if (confined !== restored) await this.write('postgresql.conf', Buffer.from(confined, 'latin1'));
    for (const { name } of backup.configurationFiles.filter(({ captured }) => captured)) {
      const content = await repository.store.read(configurationKey(instance, backup.id, name));
      const neutral = (): Buffer => Buffer.from(neutralizeConfiguration(content.toString('latin1')), 'latin1');
      await this.write(name, name === 'postgresql.conf' ? neutral() : content);
    }
    const plain = '# Written by Pointback, since the backup had no such file.\n';
    if (!(await exists(this.#place('postgresql.conf')))) await this.write('postgresql.conf', plain);
    if (!(await exists(this.#place('pg_hba.conf')))) await this.write('pg_hba.conf', `${plain}local all all peer\n`);
    if (!(await exists(this.#place('pg_ident.conf')))) await this.write('pg_ident.conf', plain);
  }

  /** Puts the copy into quarantine and recovery, see `quarantineSettings`. Returns the preload libraries it left out. */
  async quarantine(unfinishedControlFile: Buffer): Promise<readonly string[]> {
    const { targetDirectory, port, start, backup, owner } = this.#plan;
    const control = parseControlFile(await readFile(unfinishedControlFile));
    const written = await this.#text('postgresql.auto.conf');
    const preloadLibraries = preloadLibrariesOf(`${await this.#text('postgresql.conf')}\n${written}`);
    const settings = quarantineSettings({
      dataDirectory: targetDirectory,
      port,
      promote: start?.promote ?? false,
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
    await this.write('recovery.signal', '');
    return sortPreloadLibraries(preloadLibraries).leftOut;
  }

  /**
   * Makes the folder for Pointback's own files inside the data directory, before anything else is in it: of several
   * restores to one directory a single one gets on. Throws `restore.target-not-empty` for the others.
   */
  async claim(): Promise<void> {
    const { targetDirectory } = this.#plan;
    await mkdir(this.#place(copyFolder), { mode: this.#directoryMode }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new PointbackError('restore.target-not-empty', {
        message: `Another restore to ${targetDirectory} has begun meanwhile.`,
        cause: error,
      });
    });
    await this.makeDirectory(this.#place(copyFolder));
  }

  async #text(path: string): Promise<string> {
    // Bytes in, bytes out: what is not ours must come back as it was.
    return readFile(this.#place(path), 'latin1').catch(() => '');
  }

  #place(path: string): string {
    return join(this.#plan.targetDirectory, path);
  }

  async #own(path: string): Promise<void> {
    const { owner } = this.#plan;
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
