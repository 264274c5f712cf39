import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PointbackError } from '../api/errors.ts';
import type { Configuration } from './configuration.ts';
import type { HostEnvironment } from './environment.ts';
import { defaultConfiguration, parseConfiguration } from './parseConfiguration.ts';
import { userConfigurationDirectory } from './userDirectories.ts';

/** The name of the configuration file wherever it is looked for. */
export const configurationFileName = 'pointback.json';

/** What the command line says about the configuration. */
export interface ConfigurationOptions {
  /** `--config`, relative to the current directory. */
  readonly file?: string | undefined;
  /** `--repository`, relative to the current directory; wins over the file's. */
  readonly repository?: string | undefined;
}

/**
 * Finds and reads the configuration: `--config`, then `POINTBACK_CONFIG`, then `pointback.json` in the current directory, then
 * in the user's configuration directory; without any of them the defaults. A file that was named must exist. Throws
 * `configuration.missing`, `configuration.unreadable` and whatever `parseConfiguration` throws.
 */
export async function loadConfiguration(
  options: ConfigurationOptions,
  environment: HostEnvironment,
): Promise<Configuration> {
  const configuration = await findConfiguration(options, environment);
  if (options.repository === undefined) return configuration;
  return { ...configuration, repository: resolve(environment.currentDirectory, options.repository) };
}

async function findConfiguration(options: ConfigurationOptions, environment: HostEnvironment): Promise<Configuration> {
  const fromEnvironment = environment.variables['POINTBACK_CONFIG'];
  const named = options.file ?? (fromEnvironment === '' ? undefined : fromEnvironment);
  if (named !== undefined) {
    const file = resolve(environment.currentDirectory, named);
    const text = await readOptionalFile(file);
    if (text !== undefined) return parseConfiguration(text, file, environment);
    throw new PointbackError('configuration.missing', {
      message: `There is no configuration file ${file}.`,
      remedy:
        options.file === undefined
          ? 'Correct or unset the environment variable POINTBACK_CONFIG, which names it.'
          : 'Correct the path given with --config.',
      details: { file },
    });
  }
  for (const directory of [environment.currentDirectory, userConfigurationDirectory(environment)]) {
    const file = join(directory, configurationFileName);
    const text = await readOptionalFile(file);
    if (text !== undefined) return parseConfiguration(text, file, environment);
  }
  return defaultConfiguration(environment);
}

async function readOptionalFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new PointbackError('configuration.unreadable', {
      message: `The configuration file ${file} cannot be read (${code}).`,
      remedy:
        code === 'EISDIR'
          ? 'It is a directory: name the file inside it.'
          : 'Make it readable for your user, or name another one with --config.',
      cause: error,
      details: { file },
    });
  }
}
