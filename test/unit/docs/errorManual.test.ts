import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { errorTable, type ErrorRow } from '../../../server/src/api/errorTable.ts';
import { errorManualPath, renderErrorManual } from '../../docs/errorManual.ts';

const serverSources = join(import.meta.dirname, '../../../server/src');

async function sourceText(): Promise<string> {
  const files = await readdir(serverSources, { recursive: true, withFileTypes: true });
  const sources = files.filter((file) => file.isFile() && file.name.endsWith('.ts') && file.name !== 'errorTable.ts');
  return (await Promise.all(sources.map((file) => readFile(join(file.parentPath, file.name), 'utf8')))).join('\n');
}

describe('the error table', () => {
  it('is what the manual says (npm run docs makes docs/errors.md anew)', async () => {
    assert.equal(await readFile(errorManualPath, 'utf8'), renderErrorManual());
  });

  it('has no code that nothing throws', async () => {
    const text = await sourceText();
    const unused = Object.keys(errorTable).filter((code) => !text.includes(`'${code}'`));
    assert.deepEqual(unused, []);
  });

  for (const [code, { subject, when, remedy }] of Object.entries<ErrorRow>(errorTable)) {
    it(`says when ${code} happens and what to do, in sentences`, () => {
      assert.equal(code.split('.')[0], subject);
      assert.match(when, /^[A-Z`].*\.$/s);
      assert.match(remedy, /^[A-Z`].*[.!]$/s);
    });
  }
});
