import { createHash } from 'node:crypto';
import { isPointbackError } from '../../api/errors.ts';
import type { BackupRecord, VerificationProblem } from '../../repository/backupRecord.ts';
import { configurationKey, dataKey, manifestKey } from '../../repository/layout.ts';
import type { ObjectStore, StoreCallOptions } from '../../repository/store/objectStore.ts';

/**
 * Holds the objects under a backup's `data/` against its record: all there, of the recorded sizes, and nothing else, since
 * the tools that read that folder as it is refuse strangers in it. Captured configuration files likewise, by content.
 */
export async function* checkObjects(
  store: ObjectStore,
  instance: string,
  { id, archives, configurationFiles }: BackupRecord,
  options: StoreCallOptions,
): AsyncGenerator<VerificationProblem, void> {
  const manifest = manifestKey(instance, id);
  const folder = manifest.slice(0, manifest.lastIndexOf('/'));
  const sizes = new Map<string, number | undefined>(
    archives.map(({ name, storedBytes }) => [dataKey(instance, id, name), storedBytes]),
  );
  sizes.set(manifest, undefined);
  for await (const { key, size } of store.list(folder, options)) {
    const name = key.slice(folder.length + 1);
    const recorded = sizes.get(key);
    if (!sizes.has(key)) {
      yield { code: 'object-unknown', subject: name, message: `${name} does not belong to the backup.` };
    } else if (recorded !== undefined && recorded !== size) {
      yield {
        code: 'archive-damaged',
        subject: name,
        message: `${name} has ${size} bytes, ${recorded} were written.`,
      };
    }
    sizes.delete(key);
  }
  for (const key of sizes.keys()) {
    const name = key.slice(folder.length + 1);
    yield { code: 'archive-missing', subject: name, message: `${name} is not in the repository any more.` };
  }
  for (const { name, captured, sha256 } of configurationFiles) {
    if (!captured) continue;
    const subject = `configuration/${name}`;
    const stored = await store
      .read(configurationKey(instance, id, name), undefined, options)
      .catch((error: unknown) => {
        if (isPointbackError(error, 'store.missing')) return undefined;
        throw error;
      });
    if (stored === undefined) {
      yield { code: 'configuration-missing', subject, message: `${subject} is not in the repository any more.` };
    } else if (sha256 !== undefined && createHash('sha256').update(stored).digest('hex') !== sha256) {
      yield { code: 'configuration-changed', subject, message: `${subject} is not what was captured.` };
    }
  }
}
