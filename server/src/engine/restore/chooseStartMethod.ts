import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PointbackError } from '../../api/errors.ts';
import { findServerBinaries } from '../../postgres/serverBinaries.ts';
import type { OperationContext } from '../context.ts';
import type { StartMethod } from './restorePlan.ts';

const run = promisify(execFile);

/** What a restored cluster may be started with. */
export interface StartResources {
  /** Directories with server binaries to look into before the usual places. */
  readonly serverBinaries: readonly string[];
  /** The container program and its first arguments, `['docker']` by default; empty to use none. */
  readonly containerCommand: readonly string[];
}

/**
 * Finds what can run a data directory of this major version: server binaries on this machine, else a container engine that
 * answers. Throws `restore.no-server` with every way out when there is neither.
 */
export async function chooseStartMethod(
  major: number,
  { serverBinaries, containerCommand }: StartResources,
  { signal }: OperationContext,
): Promise<StartMethod> {
  const binaries = await findServerBinaries(major, { extraDirectories: serverBinaries });
  if (binaries !== undefined) return { kind: 'binaries', directory: binaries.directory, version: binaries.version };
  if (await answers(containerCommand, signal)) {
    return { kind: 'container', command: containerCommand, image: `postgres:${major}` };
  }
  throw new PointbackError('restore.no-server', {
    message: `This machine has neither the server programs of PostgreSQL ${major} nor a container engine that answers.`,
    remedy:
      `Restore without --start: the directory is complete, and any PostgreSQL ${major} can run it. To start it here, install ` +
      `the package postgresql-${major}, name its directory as "serverBinaries" in pointback.json, or start Docker.`,
    details: { major },
  });
}

async function answers([program, ...first]: readonly string[], signal: AbortSignal): Promise<boolean> {
  if (program === undefined) return false;
  try {
    await run(program, [...first, 'version'], { signal, timeout: 10_000 });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
