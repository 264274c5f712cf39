import { PointbackError } from '../../api/errors.ts';
import { defineCommand } from '../command.ts';
import { deletionJson, previewLines } from '../deletionText.ts';
import { formatBytes } from '../../api/format.ts';
import { sessionInstance, sessionRepository } from '../session.ts';
import type { Session } from '../session.ts';

export const deleteCommand = defineCommand({
  name: 'delete',
  summary: 'Delete a backup, after a preview of what is lost.',
  description: [
    'Shows what would be lost, asks, and deletes a backup. Without a terminal to ask on it needs --yes.',
    'The newest backup that can be restored is deleted only with --even-the-newest.',
  ],
  positionals: [
    { name: 'INSTANCE', summary: 'Whose backup.', required: true },
    { name: 'BACKUP', summary: 'Its id, or the beginning of it.', required: true },
  ],
  options: {
    yes: { type: 'flag', summary: 'Do not ask.' },
    'even-the-newest': { type: 'flag', summary: 'Delete it even when it is the newest backup that can be restored.' },
  },
  examples: ['delete shop 20261122T110052.123Z-full', 'delete shop 20261122T1100 --yes'],
  run: async ({ words: [word = '', id = ''], options }, session) => {
    const repository = await sessionRepository(session, { create: false });
    const { name } = await sessionInstance(session, word);
    const { planDeletion } = await import('../../engine/delete/planDeletion.ts');
    const { runDeletion } = await import('../../engine/delete/runDeletion.ts');
    const plan = await planDeletion({ repository, instance: name, id });
    const backupId = plan.backup.record.id;
    session.tell(previewLines(plan, session.now()));
    if (plan.isNewestRestorable && !options['even-the-newest']) {
      throw new PointbackError('deletion.newest', {
        message: `${backupId} is the newest backup of ${name} that can be restored.`,
      });
    }
    if (!options.yes) await confirm(session, backupId);
    const { freedBytes, readers } = await runDeletion(plan, session.context);
    const freed =
      readers.length === 0
        ? `${formatBytes(freedBytes)} are free again`
        : 'its bytes stay until the next backup or deletion, because someone began to read it meanwhile';
    return {
      json: { deleted: { ...deletionJson(plan), freedBytes } },
      text: [`Deleted ${backupId} of ${name}; ${freed}.`],
      exitCode: 0,
    };
  },
});

/** Throws `deletion.unconfirmed` when nobody can be asked, `operation.cancelled` for any answer but yes. */
async function confirm(session: Session, id: string): Promise<void> {
  if (session.ask === undefined) {
    throw new PointbackError('deletion.unconfirmed', {
      message: `Nobody confirmed the deletion of ${id}, and there is no terminal to ask on.`,
    });
  }
  const answer = await session.ask('Type yes to delete it: ');
  if (answer?.trim().toLowerCase() === 'yes') return;
  throw new PointbackError('operation.cancelled', {
    message: 'Nothing was deleted: the answer was not yes.',
    remedy: 'Run the command again when you are sure.',
  });
}
