import type { PointbackError } from '../../api/errors.ts';
import type { VerifyOutcome } from '../../engine/verify/verifyBackup.ts';
import { problemLines, stateWord } from '../backupText.ts';
import { defineCommand } from '../command.ts';
import { formatBytes, formatCount, formatDuration } from '../../api/format.ts';
import { sessionInstance, sessionRepository } from '../session.ts';
import type { Style } from '../terminal.ts';

export const verifyCommand = defineCommand({
  name: 'verify',
  summary: 'Read backups back and check every byte.',
  description: [
    "Reads every byte of a backup and holds it against the server's manifest, the manifest's own checksum and the WAL the " +
      'backup needs. The outcome is recorded beside the backup and decides its state. Neither server nor configuration is needed.',
    'Exit code 3 says that a backup is broken.',
  ],
  positionals: [
    { name: 'INSTANCE', summary: 'Whose backups.', required: true },
    {
      name: 'BACKUP',
      summary: 'The id of one backup, or its beginning. Default: all of the instance.',
      required: false,
    },
  ],
  options: {},
  examples: ['verify shop', 'verify shop 20261122T1100', 'verify shop --repository /mnt/backups --json'],
  run: async ({ words: [word = '', id] }, session) => {
    const repository = await sessionRepository(session, { create: false });
    const { name } = await sessionInstance(session, word);
    const { verifyBackup } = await import('../../engine/verify/verifyBackup.ts');
    const { listBackups } = await import('../../repository/catalog.ts');
    const outcomes: VerifyOutcome[] = [];
    const unreadable: PointbackError[] = [];
    const damaged = (error: PointbackError): void => {
      unreadable.push(error);
    };
    // Without any backup the operation itself says so, in its own words.
    const all =
      id === undefined ? (await listBackups(repository, name, { damaged })).map(({ record }) => record.id) : [id];
    for (const backup of all.length === 0 && unreadable.length === 0 ? [undefined] : all) {
      const parameters = { repository, instance: name, ...(backup === undefined ? {} : { id: backup }) };
      outcomes.push(await verifyBackup(parameters, session.context));
    }
    const passed = unreadable.length === 0 && outcomes.every(({ verification }) => verification.outcome === 'passed');
    return {
      json: {
        instance: name,
        repository: repository.location,
        outcome: passed ? 'passed' : 'failed',
        backups: outcomes.map(({ record, verification }) => ({ id: record.id, verification })),
        problems: unreadable.map((error) => error.toJSON()),
      },
      text: [
        ...outcomes.flatMap((outcome) => verificationLines(outcome, session.style)),
        ...unreadable.flatMap(({ message, remedy }) => [`error: ${message}`, `  → ${remedy}`]),
      ],
      exitCode: passed ? 0 : 3,
    };
  },
});

/** What a person reads after the verification of one backup. */
export function verificationLines({ record, verification }: VerifyOutcome, style: Style): string[] {
  const { outcome, files, bytes, durationMs, problems, problemCount } = verification;
  const read = `${formatCount(files, 'file')}, ${formatBytes(bytes)} read in ${formatDuration(durationMs)}`;
  if (outcome === 'passed') return [`${record.id}  ${stateWord('consistent', style)}: ${read}`];
  return [
    `${record.id}  ${stateWord('broken', style)}: ${formatCount(problemCount, 'problem')}; ${read}`,
    ...problemLines(problems, problemCount),
  ];
}
