import { chown, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { shellWord } from '../../api/shellWord.ts';
import { parseLsn } from '../../formats/lsn.ts';
import { connectionProfile } from '../../postgres/connectionProfile.ts';
import { openSqlConnection } from '../../postgres/connect.ts';
import { startPostmaster } from '../../postgres/postmaster.ts';
import type { OperationContext } from '../context.ts';
import { copyLogFile, socketDirectoryIn } from './layoutOfCopy.ts';
import type { FileOwner, RestorePlan, StartPlan } from './restorePlan.ts';
import { startContainer } from './startContainer.ts';
import { untilTrue } from './untilTrue.ts';

/** A restored copy that runs. */
export interface StartedCopy {
  readonly port: number;
  /** How to connect; the password is the original's. */
  readonly url: string;
  /** Whether recovery ended and the copy takes writes. */
  readonly promoted: boolean;
  /** The position its recovery reached, where it could be asked. */
  readonly reachedLsn?: string;
  readonly durationMs: number;
  /** The command that stops it. */
  readonly stopCommand: string;
}

/** Crash recovery of the backup's own WAL can take this long on a slow disk. */
const startTimeoutMs = 15 * 60 * 1000;

/**
 * Starts a restored copy and makes sure it got where it should: consistent, at or past the end of the backup, paused there
 * or promoted as planned.
 *
 * Throws `restored-server.failed` with the server's own words and `restored-server.short` when recovery ended too early.
 */
export async function startCopy(plan: RestorePlan, start: StartPlan, context: OperationContext): Promise<StartedCopy> {
  const startedAt = Date.now();
  context.progress({ phase: 'starting server' });
  const { targetDirectory, backup } = plan;
  const { loginRole } = backup;
  const common = {
    port: start.port,
    url: `postgresql://${encodeURIComponent(loginRole)}@127.0.0.1:${start.port}/postgres`,
    promoted: start.promote,
  };
  if (start.method.kind === 'container') {
    const stopCommand = await startContainer(plan, start, start.method, startTimeoutMs, context);
    return { ...common, stopCommand, durationMs: Date.now() - startedAt };
  }
  const configured = socketDirectoryIn(targetDirectory, start.port);
  const socketDirectory = configured ?? (await makeShortDirectory(plan.owner));
  await startPostmaster({
    binaries: start.method.directory,
    dataDirectory: targetDirectory,
    port: start.port,
    ...(configured === undefined ? { socketDirectory } : {}),
    // A data_directory in the restored configuration would lead to the original's files.
    options: ['-c', `data_directory=${targetDirectory}`],
    logFile: join(targetDirectory, copyLogFile),
    signal: context.signal,
    timeoutMs: startTimeoutMs,
    ...(plan.owner === undefined ? {} : { owner: plan.owner }),
  });
  // pg_ctl refuses to run as root.
  const asOwner = plan.owner === undefined ? [] : ['runuser', '-u', plan.owner.name, '--'];
  const stop = [...asOwner, join(start.method.directory, 'pg_ctl'), 'stop', '-D', targetDirectory];
  const reachedLsn = await confirmRecovery(plan, start, socketDirectory, context);
  return {
    ...common,
    reachedLsn,
    stopCommand: stop.map(shellWord).join(' '),
    durationMs: Date.now() - startedAt,
  };
}

/** A private directory for a socket whose path would be too long inside the copy; for this run of the server only. */
async function makeShortDirectory(owner: FileOwner | undefined): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pointback-'));
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  return directory;
}

/** Asks the copy over its private socket where it is. */
async function confirmRecovery(
  plan: RestorePlan,
  start: StartPlan,
  socketDirectory: string,
  context: OperationContext,
): Promise<string> {
  const profile = connectionProfile(
    {
      host: socketDirectory,
      port: start.port,
      user: plan.backup.loginRole,
      database: 'template1',
      sslMode: 'disable',
    },
    {},
  );
  const connection = await openSqlConnection(profile, context);
  try {
    let reached = '0/0';
    await untilTrue(
      async () => {
        const [row] = await connection.query<{ recovering: boolean; lsn: string }>(
          `SELECT pg_is_in_recovery() AS recovering,
                  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS lsn`,
        );
        reached = row?.lsn ?? reached;
        return row?.recovering === !start.promote;
      },
      startTimeoutMs,
      context.signal,
    );
    if (parseLsn(reached) < parseLsn(plan.backup.endLsn)) {
      throw new PointbackError('restored-server.short', {
        message: `The restored server stopped at ${reached}, before the end of the backup at ${plan.backup.endLsn}.`,
        details: { reached, wanted: plan.backup.endLsn },
      });
    }
    return reached;
  } finally {
    await connection.close();
  }
}
