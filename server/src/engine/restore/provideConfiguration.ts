import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import {
  includesOf,
  inReadingOrder,
  isTakenFromDirectory,
  resolveInclude,
  type IncludeLine,
} from '../../formats/includeLines.ts';
import type { ConfigurationFileName } from '../../repository/backupRecord.ts';
import { configurationKey } from '../../repository/layout.ts';
import type { OperationContext } from '../context.ts';
import { confineConfiguration, neutralizeConfiguration } from './configurationText.ts';
import type { CopyFiles } from './copyFiles.ts';
import { includedPlaces } from './expandedSettings.ts';
import type { RestorePlan } from './restorePlan.ts';

/** Holds included files that were captured; not in Pointback's own folder, which goes when the quarantine is left. */
const includedFolder = 'pointback-included';

interface CapturedFile {
  /** Empty when the server did not tell, which is the case of no file that others include. */
  readonly serverPath: string;
  readonly content: Buffer;
}

/**
 * The configuration the original ran with, without what points outside: as captured where the data directory did not have
 * it (a file of that name inside was not in use), else as restored, else plain. Captured files that cannot be read any more
 * are logged and done without.
 */
export async function provideConfiguration(
  plan: RestorePlan,
  copy: CopyFiles,
  context: Pick<OperationContext, 'signal' | 'log'>,
): Promise<void> {
  const captured = await readCaptured(plan, context);
  const main = captured.get('postgresql.conf');
  if (main === undefined) await confineRestored(copy);
  else await writeCapturedSettings(copy, captured);
  for (const name of ['pg_hba.conf', 'pg_ident.conf'] as const) {
    const file = captured.get(name);
    if (file !== undefined) await copy.write(name, file.content);
  }
  const plain = '# Written by Pointback, since the backup had no such file.\n';
  if (!(await copy.has('postgresql.conf'))) await copy.write('postgresql.conf', plain);
  if (!(await copy.has('pg_hba.conf'))) await copy.write('pg_hba.conf', `${plain}local all all peer\n`);
  if (!(await copy.has('pg_ident.conf'))) await copy.write('pg_ident.conf', plain);
}

async function readCaptured(
  { repository, instance, backup }: RestorePlan,
  { signal, log }: Pick<OperationContext, 'signal' | 'log'>,
): Promise<Map<ConfigurationFileName, CapturedFile>> {
  const files = new Map<ConfigurationFileName, CapturedFile>();
  for (const { name, serverPath = '', sha256 } of backup.configurationFiles.filter(({ captured }) => captured)) {
    try {
      const content = await repository.store.read(configurationKey(instance, backup.id, name), undefined, { signal });
      if (sha256 !== undefined && createHash('sha256').update(content).digest('hex') !== sha256) {
        throw new Error('it is not what was captured');
      }
      files.set(name, { serverPath, content });
    } catch (error) {
      // The data matter more than the settings.
      signal.throwIfAborted();
      log(
        'warning',
        `the captured configuration file ${serverPath} (${name}) is left out of the copy: ${String(error)}`,
      );
    }
  }
  return files;
}

/** postgresql.conf and the files it includes; the lines that include them name the copies. */
async function writeCapturedSettings(
  copy: CopyFiles,
  captured: ReadonlyMap<ConfigurationFileName, CapturedFile>,
): Promise<void> {
  const settings = [...captured].filter(([name]) => name !== 'pg_hba.conf' && name !== 'pg_ident.conf');
  const placeOf = (name: string): string => (name === 'postgresql.conf' ? name : `${includedFolder}/${name}`);
  const places = new Map(settings.map(([name, { serverPath }]) => [serverPath, placeOf(name)]));
  if (settings.length > 1) await copy.makeFolder(includedFolder);
  for (const [name, { serverPath, content }] of settings) {
    const copiesOf = ({ directive, path }: IncludeLine): string[] => {
      const included = resolveInclude(serverPath, path);
      const inDirectory = (file: string): boolean =>
        posix.dirname(file) === included && isTakenFromDirectory(posix.basename(file));
      const paths = directive === 'include_dir' ? inReadingOrder([...places.keys()].filter(inDirectory)) : [included];
      return paths.flatMap((file) => {
        const place = places.get(file);
        return place === undefined ? [] : [posix.relative(posix.dirname(placeOf(name)), place)];
      });
    };
    const text = neutralizeConfiguration(content.toString('latin1'), copiesOf);
    await copy.write(placeOf(name), Buffer.from(text, 'latin1'));
  }
}

/** The restored postgresql.conf and everything it includes: nothing in them leads out, or to files that are not there. */
async function confineRestored(copy: CopyFiles): Promise<void> {
  const visited = new Set<string>();
  const confine = async (file: string): Promise<void> => {
    if (visited.has(file) || !(await copy.has(file))) return;
    visited.add(file);
    const restored = await copy.text(file);
    // First what is left after the lines that lead out.
    const inner = includesOf(confineConfiguration(restored));
    const absent = new Set<string>();
    for (const include of inner) {
      if (!(await copy.has(resolveInclude(file, include.path)))) absent.add(include.path);
      else for (const place of await includedPlaces(copy, file, include)) await confine(place);
    }
    const confined = confineConfiguration(restored, absent);
    if (confined !== restored) await copy.write(file, Buffer.from(confined, 'latin1'));
  };
  await confine('postgresql.conf');
}
