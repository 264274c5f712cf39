import { realpath, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { formatBytes } from '../../api/format.ts';
import { findBackup } from '../../repository/catalog.ts';
import type { BackupRecord } from '../../repository/backupRecord.ts';
import type { Repository } from '../../repository/repository.ts';
import type { OperationContext } from '../context.ts';
import { chooseStartMethod, type StartResources } from './chooseStartMethod.ts';
import { freePort } from './freePort.ts';
import { resolveOwner } from './fileOwner.ts';
import { requireEmpty } from './requireEmpty.ts';
import type { RestorePlan, TablespacePlan } from './restorePlan.ts';

/** What to restore and where to. */
export interface RestoreParameters {
  readonly repository: Repository;
  readonly instance: string;
  /** The newest when absent. */
  readonly id?: string;
  /** New or empty. */
  readonly targetDirectory: string;
  /** Old location to new location. */
  readonly tablespaceMapping: ReadonlyMap<string, string>;
  /** Name or number of the user that will own the files, when run as root. */
  readonly owner?: string;
  readonly start?: { readonly port?: number; readonly promote: boolean };
  readonly startResources: StartResources;
}

/** Left free on the target's disk, bytes. */
const reserveBytes = 64 * 1024 * 1024;

/**
 * Decides a restore without writing anything: which backup, where each directory goes, who owns the files, whether there
 * is room, and how it will be started.
 *
 * Throws `backup.unknown`, `restore.target-not-empty`, `restore.target-inside-repository`, `restore.tablespace-mapping`,
 * `restore.no-space`, `restore.owner-unknown`, `restore.owner-needed`, `restore.no-server`.
 */
export async function planRestore(parameters: RestoreParameters, context: OperationContext): Promise<RestorePlan> {
  const { repository, instance } = parameters;
  const { record, state, stateReason } = await findBackup(repository, instance, parameters.id);
  const targetDirectory = resolve(parameters.targetDirectory);
  const tablespaces = planTablespaces(record, targetDirectory, parameters.tablespaceMapping);
  for (const directory of [targetDirectory, ...tablespaces.map(({ to }) => to)]) {
    await requireOutside(directory, repository.location);
    await requireEmpty(directory);
  }
  const major = Math.floor(record.serverVersionNumber / 10000);
  const owner = await resolveOwner(parameters.owner, targetDirectory, parameters.start !== undefined);
  const freeBytes = await freeBytesAt(targetDirectory);
  await requireSpace(record, targetDirectory, tablespaces);
  const port = parameters.start?.port ?? (await freePort());
  const warnings: string[] = [];
  if (state === 'broken') warnings.push(`This backup is broken: ${stateReason ?? 'see its verification'}`);
  const uncaptured = record.configurationFiles.filter(({ captured }) => !captured);
  if (uncaptured.length > 0) {
    const names = uncaptured.map(({ name, serverPath }) => serverPath ?? name).join(', ');
    warnings.push(`Configuration files were not captured, so the copy does without their settings: ${names}.`);
  }
  return {
    repository,
    instance,
    backup: record,
    state,
    targetDirectory,
    tablespaces,
    bytesToWrite: record.tarBytes,
    freeBytes,
    port,
    warnings,
    ...(owner === undefined ? {} : { owner }),
    ...(parameters.start === undefined
      ? {}
      : {
          start: {
            port,
            promote: parameters.start.promote,
            method: await chooseStartMethod(major, parameters.startResources, context),
          },
        }),
  };
}

function planTablespaces(
  { archives }: BackupRecord,
  targetDirectory: string,
  mapping: ReadonlyMap<string, string>,
): TablespacePlan[] {
  const unused = new Set(mapping.keys());
  const plans = archives.flatMap(({ tablespaceOid, location }) => {
    if (tablespaceOid === undefined || location === undefined) return [];
    unused.delete(location);
    const to = mapping.get(location) ?? join(`${targetDirectory}-tablespaces`, String(tablespaceOid));
    return [{ oid: tablespaceOid, from: location, to: resolve(to) }];
  });
  for (const from of unused) {
    const known = plans.map((plan) => plan.from).join(', ');
    throw new PointbackError('restore.tablespace-mapping', {
      message: `The backup has no tablespace at ${from}. ${known === '' ? 'It has none at all.' : `It has: ${known}.`}`,
    });
  }
  const directories = [targetDirectory, ...plans.map(({ to }) => to)];
  for (const [index, directory] of directories.entries()) {
    const clash = directories.find((other, at) => at !== index && `${directory}/`.startsWith(`${other}/`));
    if (clash !== undefined) {
      throw new PointbackError('restore.tablespace-mapping', {
        message: `${directory} lies inside ${clash}; every tablespace needs a directory of its own outside the others.`,
      });
    }
  }
  return plans;
}

async function requireOutside(directory: string, repositoryLocation: string): Promise<void> {
  const [place, repository] = await Promise.all([realPlace(directory), realPlace(repositoryLocation)]);
  if (!`${place}/`.startsWith(`${repository}/`)) return;
  throw new PointbackError('restore.target-inside-repository', {
    message: `${directory} lies inside the repository ${repositoryLocation}.`,
  });
}

/** The path without symbolic links, as far as it exists. */
async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return dirname(path) === path ? path : join(await realPlace(dirname(path)), basename(path));
  }
}

/** Holds what goes to each file system against what is free there. */
async function requireSpace(
  { archives }: BackupRecord,
  targetDirectory: string,
  tablespaces: readonly TablespacePlan[],
): Promise<void> {
  const needs = new Map<number, { directory: string; bytes: number }>();
  for (const { tablespaceOid, tarBytes } of archives) {
    const directory = tablespaces.find(({ oid }) => oid === tablespaceOid)?.to ?? targetDirectory;
    const { dev } = await atNearestExisting(directory, (path) => stat(path));
    const need = needs.get(dev) ?? { directory, bytes: reserveBytes };
    need.bytes += tarBytes;
    needs.set(dev, need);
  }
  for (const { directory, bytes } of needs.values()) {
    const freeBytes = await freeBytesAt(directory);
    if (freeBytes >= bytes) continue;
    throw new PointbackError('restore.no-space', {
      message: `The restore needs ${formatBytes(bytes)} on the disk of ${directory}, where ${formatBytes(freeBytes)} are free.`,
      details: { directory, neededBytes: bytes, freeBytes },
    });
  }
}

async function freeBytesAt(directory: string): Promise<number> {
  const { bavail, bsize } = await atNearestExisting(directory, (path) => statfs(path));
  return bavail * bsize;
}

/** Asks about the directory, or the nearest above it that exists. */
async function atNearestExisting<T>(directory: string, ask: (path: string) => Promise<T>): Promise<T> {
  for (let at = directory; ; at = dirname(at)) {
    try {
      return await ask(at);
    } catch (error) {
      if (dirname(at) === at) throw error;
    }
  }
}
