import type { RestorePlan, StartMethod } from '../engine/restore/restorePlan.ts';
import type { RestoreOutcome } from '../engine/restore/runRestore.ts';
import type { StartedCopy } from '../engine/restore/startCopy.ts';
import { agoOf, factLines, stateInWords } from './backupText.ts';
import { formatBytes, formatDuration, formatMoment, printable } from '../api/format.ts';
import type { Style } from './terminal.ts';

/** A restore plan for a person: what will happen, and what to know before saying yes. */
export function planLines(plan: RestorePlan, style: Style, now: Date): string[] {
  const { backup, owner, start, tablespaces } = plan;
  return [
    style('strong', printable(`Restore of ${plan.instance} to ${plan.targetDirectory}`)),
    ...factLines([
      ['backup', `${backup.id}, PostgreSQL ${backup.serverVersion}, ${stateInWords(plan.state, undefined, now)}`],
      [
        'moment',
        `${formatMoment(new Date(backup.finishedAt))}, ${agoOf(backup.finishedAt, now)}: the end of the backup`,
      ],
      ['up to', `LSN ${backup.endLsn}, timeline ${backup.endTimeline}`],
      ['writes', `${formatBytes(plan.bytesToWrite)}; ${formatBytes(plan.freeBytes)} are free there`],
      ...tablespaces.map(({ from, to }) => ['tablespace', `${from} → ${to}`] as const),
      ...(owner === undefined ? [] : [['owner', `${owner.name} (uid ${owner.uid})`] as const]),
      ['port', `${plan.port}, on this machine only`],
      ['start', start === undefined ? 'no' : `${methodText(start.method)}${start.promote ? ', then promoted' : ''}`],
    ]),
    ...plan.warnings.map((warning) => `  ${style('yellow', '!')} ${printable(warning)}`),
  ];
}

/** The plan as `--json` prints it. */
export function planJson({ repository, ...plan }: RestorePlan): Record<string, unknown> {
  return { repository: repository.location, ...plan };
}

function methodText(method: StartMethod): string {
  return method.kind === 'binaries'
    ? `with the server programs of ${method.version} in ${method.directory}`
    : `in a container of ${method.image} (${method.command.join(' ')})`;
}

/** What a person reads after a restore. */
export function outcomeLines(outcome: RestoreOutcome, style: Style): string[] {
  const { plan, writtenBytes, durationMs, started } = outcome;
  return [
    style('strong', printable(`Restored ${plan.backup.id} of ${plan.instance} to ${plan.targetDirectory}`)),
    ...factLines([
      ['written', `${formatBytes(writtenBytes)} in ${formatDuration(durationMs)}, every file checked`],
      ['up to', `LSN ${plan.backup.endLsn}, timeline ${plan.backup.endTimeline}`],
      ...(started === undefined
        ? [['start', `not started; it will listen on port ${plan.port} of this machine when it is`] as const]
        : startedFacts(started)),
    ]),
  ];
}

/** The outcome as `--json` prints it. */
export function outcomeJson({ plan, ...outcome }: RestoreOutcome): Record<string, unknown> {
  return { plan: planJson(plan), ...outcome };
}

function startedFacts(started: StartedCopy): (readonly [string, string])[] {
  const { url, promoted, reachedLsn, durationMs, stopCommand } = started;
  const state = promoted ? 'promoted: it takes writes' : 'still in recovery: it can be read';
  return [
    [
      'started',
      `in ${formatDuration(durationMs)}${reachedLsn === undefined ? '' : `, reached LSN ${reachedLsn}`}; ${state}`,
    ],
    ['connect', `psql ${url}`],
    ['stop', stopCommand],
  ];
}
