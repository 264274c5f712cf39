import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorTable, type ErrorRow } from '../../server/src/api/errorTable.ts';

/** Where the manual's error pages lie. */
export const errorManualPath = join(import.meta.dirname, '../../docs/errors.md');

const exitWords: Readonly<Record<ErrorRow['exitCode'], string>> = {
  1: '1 (failed)',
  2: '2 (wrong usage)',
  3: '3 (done, but problems were found)',
};

/** The manual's page of errors, one section a code, made from the error table. */
export function renderErrorManual(): string {
  const rows = Object.entries<ErrorRow>(errorTable).sort(([a], [b]) => (a < b ? -1 : 1));
  const subjects = [...new Set(rows.map(([, { subject }]) => subject))].sort();
  const sections = subjects.flatMap((subject) => [
    `## ${subject}`,
    ...rows
      .filter(([, row]) => row.subject === subject)
      .map(([code, { when, remedy, exitCode }]) =>
        [
          `<a id="${code}"></a>`,
          `### \`${code}\``,
          when,
          `**What to do:** ${remedy}`,
          `Exit code: ${exitWords[exitCode]}.`,
        ].join('\n\n'),
      ),
  ]);
  return [
    '# Errors',
    'Every error of Pointback has a code, says what happened and what to do next. With `--json` the code is `error.code`.',
    '<!-- Made from server/src/api/errorTable.ts by `npm run docs`. -->',
    ...sections,
  ]
    .join('\n\n')
    .concat('\n');
}

if (process.argv[1] === import.meta.filename) await writeFile(errorManualPath, renderErrorManual());
