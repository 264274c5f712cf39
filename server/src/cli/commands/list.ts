import { isPointbackError } from '../../api/errors.ts';
import type { PointbackError } from '../../api/errors.ts';
import type { InstanceRecord } from '../../repository/backupRecord.ts';
import type { CatalogEntry } from '../../repository/catalog.ts';
import { agoOf, sizeText } from '../backupText.ts';
import { defineCommand } from '../command.ts';
import { formatAge, formatBytes, formatCount, formatDuration, printable } from '../../api/format.ts';
import { sessionInstance, sessionRepository } from '../session.ts';
import type { Session } from '../session.ts';
import { shellWord } from '../../api/shellWord.ts';
import { tableLines } from '../table.ts';

/** An instance with its backups; `record` is undefined for a configured one without any. */
export interface ListedInstance {
  readonly name: string;
  readonly record: InstanceRecord | undefined;
  readonly backups: readonly CatalogEntry[];
}

export const listCommand = defineCommand({
  name: 'list',
  summary: 'Show the backups and their states.',
  description: [
    'Shows what the repository holds, newest first. Neither server nor configuration is needed.',
    'A backup is proven when a restore drill passed, consistent when everything it needs was read back and verified, unproven ' +
      'until then, and broken when its newest verification or drill failed.',
  ],
  positionals: [{ name: 'INSTANCE', summary: 'Only this one. Default: all.', required: false }],
  options: {},
  examples: ['list', 'list shop', 'list --repository /mnt/backups --json'],
  run: async ({ words: [word] }, session) => {
    const repository = await sessionRepository(session, { create: false });
    const { listBackups } = await import('../../repository/catalog.ts');
    const { listInstances, readInstance } = await import('../../repository/instances.ts');
    const problems: PointbackError[] = [];
    const options = { signal: session.context.signal, damaged: (error: PointbackError) => problems.push(error) };
    const listed: ListedInstance[] = [];
    if (word === undefined) {
      const records = await listInstances(repository, options);
      for (const record of records) {
        listed.push({ name: record.name, record, backups: await listBackups(repository, record.name, options) });
      }
      const known = new Set(records.map(({ name }) => name));
      for (const name of session.configuration.instances.keys()) {
        if (!known.has(name)) listed.push({ name, record: undefined, backups: [] });
      }
    } else {
      const { name } = await sessionInstance(session, word);
      const record = await readInstance(repository, name, options).catch((error: unknown) => {
        if (!isPointbackError(error)) throw error;
        problems.push(error);
        return undefined;
      });
      listed.push({ name, record, backups: await listBackups(repository, name, options) });
    }
    return {
      json: {
        repository: repository.location,
        instances: listed.map(({ name, record, backups }) => ({
          name,
          systemIdentifier: record?.systemIdentifier ?? null,
          major: record?.major ?? null,
          backups: backups.map(({ record: backup, ...state }) => ({ ...backup, ...state })),
        })),
        problems: problems.map((problem) => problem.toJSON()),
      },
      text: listLines(listed, problems, repository.location, session),
      exitCode: problems.length === 0 ? 0 : 3,
    };
  },
});

/** What a person reads: a heading and a table for each instance, then what could not be read. */
export function listLines(
  listed: readonly ListedInstance[],
  problems: readonly PointbackError[],
  location: string,
  session: Pick<Session, 'now' | 'style' | 'width'>,
): string[] {
  const none = listed.length === 0 && problems.length === 0;
  return [
    ...(none ? [`${location} holds no backups yet. Take the first: pointback backup INSTANCE`] : []),
    ...listed.flatMap((instance, index) => [...(index === 0 ? [] : ['']), ...instanceLines(instance, session)]),
    ...problems.map(({ message, remedy }) => `${session.style('red', '✗')} ${printable(`${message} → ${remedy}`)}`),
  ];
}

function instanceLines(
  { name, record, backups }: ListedInstance,
  { now, style, width }: Pick<Session, 'now' | 'style' | 'width'>,
): string[] {
  const heading = style('strong', printable(name));
  const server = record === undefined ? [] : [`PostgreSQL ${record.major}`, `system ${record.systemIdentifier}`];
  if (backups.length === 0) {
    const next = `no backups yet; take the first: pointback backup ${shellWord(name)}`;
    return [[heading, ...server, next].join(' · ')];
  }
  const stored = backups.reduce((sum, backup) => sum + backup.record.storedBytes, 0);
  return [
    [heading, ...server, formatCount(backups.length, 'backup'), `${formatBytes(stored)} stored`].join(' · '),
    ...tableLines(
      [
        { title: 'ID' },
        { title: 'TYPE', rank: 2 },
        { title: 'AGE', align: 'right', rank: 4 },
        { title: 'SIZE', align: 'right', rank: 3 },
        { title: 'DURATION', align: 'right', rank: 1 },
        { title: 'STATE' },
        { title: 'LABEL' },
      ],
      backups.map((backup) => rowOf(backup, now())),
      width,
    ),
    ...backups
      .filter(({ stateReason }) => stateReason !== undefined)
      .map(
        ({ record: { id }, state, stateReason = '' }) =>
          `${state === 'broken' ? style('red', '✗') : style('yellow', '!')} ${printable(`${id}: ${stateReason}`)}`,
      ),
  ];
}

function rowOf({ record, state, stateAt }: CatalogEntry, now: Date): string[] {
  return [
    record.id,
    record.type,
    formatAge(now.getTime() - Date.parse(record.finishedAt)),
    sizeText(record),
    // A clock that was set back in between must not show a negative duration.
    formatDuration(Math.max(0, Date.parse(record.finishedAt) - Date.parse(record.startedAt))),
    stateAt === undefined ? state : `${state}, ${agoOf(stateAt, now)}`,
    record.label,
  ];
}
