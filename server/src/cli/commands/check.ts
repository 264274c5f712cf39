import { checkLines } from '../checkText.ts';
import { defineCommand } from '../command.ts';
import { sessionInstance } from '../session.ts';

export const checkCommand = defineCommand({
  name: 'check',
  summary: 'Tell whether a server can be backed up, and what to do when not.',
  description: [
    'Connects twice, as SQL client and as replication client, and looks at everything a physical backup needs. Nothing is changed. ' +
      'Each finding has its fix: the exact line of pg_hba.conf, SQL or setting.',
    'Exit code 3 says that it cannot be backed up yet.',
  ],
  positionals: [{ name: 'INSTANCE', summary: 'What to check.', required: true }],
  options: {},
  examples: ['check shop', 'check postgresql://backup@db.example.com:5432', 'check shop --json'],
  run: async ({ words: [word = ''] }, session) => {
    const profile = (await sessionInstance(session, word)).profile();
    const { checkInstance } = await import('../../engine/check/checkInstance.ts');
    const report = await checkInstance({ profile }, session.context);
    return { json: report, text: checkLines(report, session.style), exitCode: report.ok ? 0 : 3 };
  },
});
