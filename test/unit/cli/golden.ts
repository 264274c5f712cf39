import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';

const directory = new URL('./golden/', import.meta.url);

/**
 * Holds lines against the file `golden/<name>.txt`; a missing file is a failure. To accept what is printed now, run the test with
 * POINTBACK_UPDATE_GOLDEN=1 and read the difference.
 */
export async function matchesGolden(name: string, lines: readonly string[]): Promise<void> {
  const file = new URL(`${name}.txt`, directory);
  const actual = `${lines.join('\n')}\n`;
  if (process.env['POINTBACK_UPDATE_GOLDEN'] === '1') {
    await mkdir(directory, { recursive: true });
    await writeFile(file, actual);
    return;
  }
  const expected = await readFile(file, 'utf8').catch(() => assert.fail(`golden/${name}.txt is missing`));
  assert.equal(actual, expected);
}
