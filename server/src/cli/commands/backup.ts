import { PointbackError } from '../../api/errors.ts';
import { compressionSyntax, parseCompression, usualCompression } from '../../configuration/compressionSetting.ts';
import type { CompressionSetting } from '../../configuration/compressionSetting.ts';
import { maxRateSyntax, toMaxRateKb } from '../../configuration/size.ts';
import type { BackupOutcome } from '../../engine/backup/runningBackup.ts';
import { factLines, problemLines, sizeText, stateWord } from '../backupText.ts';
import { defineCommand } from '../command.ts';
import { formatCount, formatDuration, formatMoment } from '../../api/format.ts';
import { sessionInstance, sessionRepository } from '../session.ts';
import { shellWord } from '../../api/shellWord.ts';
import type { Style } from '../terminal.ts';

export const backupCommand = defineCommand({
  name: 'backup',
  summary: 'Take a base backup.',
  description: [
    'Takes a base backup over the streaming replication protocol, with the WAL it needs, and checks every file against the ' +
      "server's manifest on arrival. Until it is complete it is no backup: whatever interrupts it leaves the earlier ones as they were.",
    'Run `pointback check INSTANCE` first when it is the first backup of a server.',
  ],
  positionals: [{ name: 'INSTANCE', summary: 'What to back up.', required: true }],
  options: {
    type: { type: 'choice', choices: ['full'], summary: 'The type of backup. Default: full.' },
    checkpoint: {
      type: 'choice',
      choices: ['fast', 'spread'],
      summary:
        'Begin with a checkpoint at once, or with one that goes easy on the disks and can take minutes. Default: fast.',
    },
    'max-rate': {
      type: 'size',
      placeholder: 'RATE',
      summary: 'The most the server may send per second, such as 32M. Default: as fast as it can.',
    },
    compress: { type: 'text', placeholder: 'METHOD', summary: `${compressionSyntax}. Default: zstd:3.` },
    label: { type: 'text', placeholder: 'TEXT', summary: 'A name for the backup, for people.' },
  },
  examples: [
    'backup shop',
    'backup shop --label "before the migration" --compress zstd:9',
    'backup postgresql://backup@db.example.com:5432 --max-rate 32M',
  ],
  run: async ({ words: [word = ''], options }, session) => {
    const compression = options.compress === undefined ? undefined : compressionOf(options.compress);
    const maxRate = options['max-rate'] === undefined ? undefined : maxRateOf(options['max-rate']);
    const instance = await sessionInstance(session, word);
    const profile = instance.profile();
    const repository = await sessionRepository(session, { create: true });
    const { runBackup } = await import('../../engine/backup/runBackup.ts');
    const { backup: settings } = instance;
    const label = options.label ?? settings.label;
    const maxRateKb = maxRate ?? settings.maxRateKb;
    const outcome = await runBackup(
      {
        repository,
        instance: instance.name,
        profile,
        checkpoint: options.checkpoint ?? settings.checkpoint ?? 'fast',
        compression: compression ?? settings.compression ?? usualCompression,
        ...(label === undefined ? {} : { label }),
        ...(maxRateKb === undefined ? {} : { maxRateKb }),
        ...(settings.manifestChecksums === undefined ? {} : { manifestChecksums: settings.manifestChecksums }),
      },
      session.context,
    );
    const { record, state, problems, durationMs } = outcome;
    return {
      json: { instance: instance.name, repository: repository.location, backup: record, state, problems, durationMs },
      text: backupLines(instance.name, outcome, session.style),
      exitCode: state === 'broken' ? 3 : 0,
    };
  },
});

/** What a person reads after a backup. */
export function backupLines(instance: string, outcome: BackupOutcome, style: Style): string[] {
  const { record, state, problems, durationMs } = outcome;
  const next =
    state === 'broken'
      ? 'the server sent damaged pages; earlier backups may be whole'
      : `every file matched the server's manifest; \`pointback verify ${shellWord(instance)}\` reads it back`;
  return [
    style('strong', `Backup ${record.id} of ${instance}`),
    ...factLines([
      ['size', `${sizeText(record)}, ${formatCount(record.fileCount, 'file')}`],
      ['duration', formatDuration(durationMs)],
      ['finished', formatMoment(new Date(record.finishedAt))],
      ['WAL', `${record.startLsn} to ${record.endLsn}, timeline ${record.endTimeline}`],
    ]),
    `  state     ${stateWord(state, style)}: ${next}`,
    ...problemLines(problems, problems.length),
  ];
}

function compressionOf(text: string): CompressionSetting {
  const compression = parseCompression(text);
  if (compression !== undefined) return compression;
  throw new PointbackError('usage.invalid', {
    message: `"${text}" is no value for --compress.`,
    remedy: `It must be ${compressionSyntax}.`,
  });
}

function maxRateOf(bytesPerSecond: number): number {
  const rate = toMaxRateKb(bytesPerSecond);
  if (rate !== undefined) return rate;
  throw new PointbackError('usage.invalid', {
    message: 'PostgreSQL cannot send at the rate given with --max-rate.',
    remedy: `It must be ${maxRateSyntax}.`,
  });
}
