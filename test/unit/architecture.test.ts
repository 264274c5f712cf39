import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { before, describe, test } from 'node:test';
import { build } from 'esbuild';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';

const root = resolve(import.meta.dirname, '..', '..');

/** What each room may import from the others: DESIGN section 3, said here a second time on purpose. */
const directions: Record<string, readonly string[]> = {
  api: [],
  formats: ['api'],
  postgres: ['api', 'formats'],
  repository: ['api', 'formats'],
  configuration: ['api', 'postgres'],
  engine: ['api', 'formats', 'postgres', 'repository'],
  hba: ['api'],
  language: ['api', 'hba'],
  jobs: ['api', 'formats', 'postgres', 'repository', 'configuration', 'engine'],
  agent: ['api', 'formats', 'postgres', 'repository', 'configuration', 'engine', 'jobs'],
  cli: ['api', 'formats', 'postgres', 'repository', 'configuration', 'engine', 'hba', 'jobs', 'agent'],
};
const rooms = Object.keys(directions);

test('every room of the sources has its directions', async () => {
  const entries = await readdir(join(root, 'server', 'src'), { withFileTypes: true });
  const found = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  assert.deepEqual(
    found.filter((name) => !rooms.includes(name)),
    [],
  );
});

describe('the linter holds the directions', () => {
  let eslint: ESLint;

  before(() => {
    // Files that do not exist have no types: without the rules that ask for them, all else is as in the checkout.
    eslint = new ESLint({
      cwd: root,
      overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked }],
    });
  });

  /** What the direction rule says to a line in a file that need not exist. */
  async function complaints(filePath: string, line: string): Promise<string[]> {
    const [result] = await eslint.lintText(`${line}\n`, { filePath: join(root, filePath) });
    const messages = result?.messages ?? [];
    assert.ok(!messages.some(({ fatal }) => fatal), JSON.stringify(messages));
    return messages.filter(({ ruleId }) => ruleId === 'no-restricted-imports').map(({ message }) => message);
  }

  for (const [room, allowed] of Object.entries(directions)) {
    test(`${room} may import ${allowed.length === 0 ? 'nothing' : allowed.join(', ')}, and no other room`, async () => {
      for (const other of rooms) {
        const isAllowed = other === room || allowed.includes(other);
        for (const [file, path] of [
          ['virtual.ts', `../${other}/virtual.ts`],
          ['deep/er/virtual.ts', `../../../${other}/deep/er/virtual.ts`],
        ] as const) {
          for (const line of [
            `import { thing } from '${path}';`,
            `import type { Thing } from '${path}';`,
            `export { thing } from '${path}';`,
          ]) {
            const found = await complaints(`server/src/${room}/${file}`, line);
            assert.equal(found.length, isAllowed ? 0 : 1, `${room}/${file}: ${line} ${found.join()}`);
          }
        }
      }
    });

    test(`${room} may not import the editor, the client or the tests`, async () => {
      for (const path of ['vscode', '../../../client/src/context.ts', '../../../test/support/waitFor.ts']) {
        const found = await complaints(`server/src/${room}/virtual.ts`, `import { thing } from '${path}';`);
        assert.equal(found.length, 1, `${room}: ${path}`);
      }
    });

    test(`${room} may import Node's modules`, async () => {
      assert.deepEqual(await complaints(`server/src/${room}/virtual.ts`, "import { join } from 'node:path';"), []);
    });
  }
});

describe('the sources', () => {
  /** What each file imports, types left out: they are gone when it runs. */
  let imports: Map<string, string[]>;

  before(async () => {
    const files = await readdir(join(root, 'server', 'src'), { recursive: true });
    const { metafile } = await build({
      entryPoints: files.filter((file) => file.endsWith('.ts')).map((file) => join(root, 'server', 'src', file)),
      absWorkingDir: root,
      outdir: 'nowhere',
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
    });
    imports = new Map(
      Object.entries(metafile.inputs).map(([file, input]) => [
        file,
        input.imports.filter((each) => each.external !== true).map(({ path }) => path),
      ]),
    );
  });

  test('are all there', () => {
    assert.ok(imports.has('server/src/cli.ts'));
    assert.ok((imports.get('server/src/cli.ts') ?? []).includes('server/src/cli/runCommandLine.ts'));
  });

  test('import each other in no circle', () => {
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      const start = path.indexOf(file);
      assert.equal(start, -1, `A circle: ${[...path.slice(start), file].join(' → ')}`);
      if (done.has(file)) return;
      for (const imported of imports.get(file) ?? []) visit(imported, [...path, file]);
      done.add(file);
    };
    for (const file of imports.keys()) visit(file, []);
  });
});
