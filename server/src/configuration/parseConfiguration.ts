import { posix, win32 } from 'node:path';
import { parseCompression } from './compressionSetting.ts';
import type { BackupSettings, Configuration, InstanceConfiguration } from './configuration.ts';
import { configurationShape } from './configurationShape.ts';
import type { BackupKey, InstanceKey } from './configurationShape.ts';
import type { HostEnvironment } from './environment.ts';
import { readShape } from './readShape.ts';
import { parseMaxRate } from './size.ts';
import { userDataDirectory } from './userDirectories.ts';

/** What `readShape` returns for `configurationShape`; the shapes guarantee it. */
interface WrittenConfiguration {
  readonly repository?: string;
  readonly instances?: Readonly<Record<string, WrittenInstance>>;
  readonly serverBinaries?: readonly string[];
  readonly container?: { readonly command?: readonly string[] };
}

type WrittenInstance = Readonly<
  Partial<Omit<Record<InstanceKey, string>, 'port' | 'backup' | 'sslMode'>> &
    Pick<InstanceConfiguration, 'port' | 'sslMode'> & { backup?: WrittenBackup }
>;

type WrittenBackup = Readonly<
  Partial<Record<Exclude<BackupKey, 'checkpoint' | 'manifestChecksums'>, string>> &
    Pick<BackupSettings, 'checkpoint' | 'manifestChecksums'>
>;

/** The configuration of someone who has no file. */
export function defaultConfiguration(environment: HostEnvironment): Configuration {
  return {
    file: undefined,
    repository: paths(environment).join(userDataDirectory(environment), 'repository'),
    instances: new Map(),
    serverBinaries: [],
    containerCommand: ['docker'],
  };
}

/**
 * The configuration a file's text says. `file` is its absolute path: relative paths in it count from its directory. Throws
 * `configuration.invalid` and `configuration.password-in-file`.
 */
export function parseConfiguration(text: string, file: string, environment: HostEnvironment): Configuration {
  const written = readShape(text, configurationShape, file) as WrittenConfiguration;
  const defaults = defaultConfiguration(environment);
  const absolute = (path: string): string => resolvePath(path, file, environment);
  return {
    file,
    repository: written.repository === undefined ? defaults.repository : absolute(written.repository),
    instances: new Map(
      Object.entries(written.instances ?? {}).map(([name, instance]) => [
        name,
        instanceConfiguration(name, instance, absolute),
      ]),
    ),
    serverBinaries: written.serverBinaries?.map(absolute) ?? defaults.serverBinaries,
    containerCommand: written.container?.command ?? defaults.containerCommand,
  };
}

function instanceConfiguration(
  name: string,
  written: WrittenInstance,
  absolute: (path: string) => string,
): InstanceConfiguration {
  const { backup, sslRootCert, sslCert, sslKey, passwordFile, serverBinaries, ...connection } = written;
  return {
    name,
    ...connection,
    ...absolutePaths({ sslRootCert, sslCert, sslKey, passwordFile, serverBinaries }, absolute),
    backup: backup === undefined ? {} : backupSettings(backup),
  };
}

function backupSettings(written: WrittenBackup): BackupSettings {
  const { compression, maxRate, ...rest } = written;
  const parsed = compression === undefined ? undefined : parseCompression(compression);
  const maxRateKb = maxRate === undefined ? undefined : parseMaxRate(maxRate);
  return {
    ...rest,
    ...(parsed === undefined ? {} : { compression: parsed }),
    ...(maxRateKb === undefined ? {} : { maxRateKb }),
  };
}

function absolutePaths<K extends string>(
  written: Readonly<Record<K, string | undefined>>,
  absolute: (path: string) => string,
): Partial<Record<K, string>> {
  const result: Partial<Record<K, string>> = {};
  for (const key of Object.keys(written) as K[]) {
    const path = written[key];
    // libpq's word for the certificates the platform trusts.
    if (path !== undefined) result[key] = key === 'sslRootCert' && path === 'system' ? path : absolute(path);
  }
  return result;
}

function resolvePath(path: string, file: string, environment: HostEnvironment): string {
  const { homeDirectory } = environment;
  const platformPath = paths(environment);
  if (path === '~' || path.startsWith('~/')) return platformPath.join(homeDirectory, path.slice(1));
  return platformPath.resolve(platformPath.dirname(file), path);
}

function paths(environment: HostEnvironment): typeof posix {
  return environment.platform === 'win32' ? win32 : posix;
}
