import { resolve } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { defineCommand } from '../command.ts';
import { outcomeJson, outcomeLines, planJson, planLines } from '../restoreText.ts';
import { sessionInstance, sessionRepository } from '../session.ts';
import { parseTablespaceMapping } from '../tablespaceMapping.ts';

export const restoreCommand = defineCommand({
  name: 'restore',
  summary: 'Restore a backup into a new directory.',
  description: [
    'Restores a backup into a new or empty directory, every file checked as it is written. Everything is planned and checked ' +
      'before the first byte is written; --plan shows that and stops. Neither server nor configuration is needed.',
    'The restored copy is quarantined: its own port, this machine only, passwords required, no archiving, no replication.',
  ],
  positionals: [{ name: 'INSTANCE', summary: 'Whose backup.', required: true }],
  options: {
    'target-directory': {
      type: 'text',
      placeholder: 'DIR',
      summary: 'Where to: a directory that is empty or does not exist.',
      required: true,
    },
    backup: {
      type: 'text',
      placeholder: 'ID',
      summary: 'Which backup: its id or the beginning of it. Default: the newest.',
    },
    tablespace: {
      type: 'repeated',
      placeholder: 'OLD=NEW',
      summary: 'Where the tablespace that lay at OLD goes. Default: beside the target directory.',
    },
    owner: {
      type: 'text',
      placeholder: 'USER',
      summary: "The user the files will belong to, when root restores. Default: the target directory's owner.",
    },
    plan: { type: 'flag', summary: 'Show what would be done, and stop.' },
    start: { type: 'flag', summary: 'Start the restored copy.' },
    port: {
      type: 'integer',
      placeholder: 'N',
      minimum: 1,
      maximum: 65535,
      summary: 'With --start: its port. Default: a free one.',
    },
    promote: { type: 'flag', summary: 'With --start: end its recovery, so that it can be written to.' },
  },
  examples: [
    'restore shop --target-directory ./shop-copy --plan',
    'restore shop --target-directory ./shop-copy --start',
    'restore shop --backup 20261122T1100 --target-directory /srv/copy --tablespace /ssd/ts1=/srv/copy-ts1',
  ],
  run: async ({ words: [word = ''], options }, session) => {
    const absolute = (path: string): string => resolve(session.environment.currentDirectory, path);
    const tablespaceMapping = parseTablespaceMapping(options.tablespace, absolute);
    const start = startOf(options);
    const repository = await sessionRepository(session, { create: false });
    const instance = await sessionInstance(session, word);
    const { planRestore } = await import('../../engine/restore/planRestore.ts');
    const { configuration } = session;
    const plan = await planRestore(
      {
        repository,
        instance: instance.name,
        targetDirectory: absolute(options['target-directory']),
        tablespaceMapping,
        ...(options.backup === undefined ? {} : { id: options.backup }),
        ...(options.owner === undefined ? {} : { owner: options.owner }),
        ...(start === undefined ? {} : { start }),
        startResources: {
          serverBinaries: [
            ...(instance.serverBinaries === undefined ? [] : [instance.serverBinaries]),
            ...configuration.serverBinaries,
          ],
          containerCommand: configuration.containerCommand,
        },
      },
      session.context,
    );
    if (options.plan) {
      return { json: { plan: planJson(plan) }, text: planLines(plan, session.style, session.now()), exitCode: 0 };
    }
    session.tell(plan.warnings.map((warning) => `warning: ${warning}`));
    const { runRestore } = await import('../../engine/restore/runRestore.ts');
    const outcome = await runRestore(plan, session.context);
    return { json: outcomeJson(outcome), text: outcomeLines(outcome, session.style), exitCode: 0 };
  },
});

function startOf(options: { readonly start: boolean; readonly port: number | undefined; readonly promote: boolean }) {
  const { start, port, promote } = options;
  if (start) return { promote, ...(port === undefined ? {} : { port }) };
  const alone = port === undefined ? (promote ? '--promote' : undefined) : '--port';
  if (alone === undefined) return undefined;
  throw new PointbackError('usage.invalid', {
    message: `The option ${alone} says how the restored copy is started, and it would not be.`,
    remedy: `Add --start, or leave ${alone} away.`,
  });
}
