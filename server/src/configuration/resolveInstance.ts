import { PointbackError } from '../api/errors.ts';
import { connectionProfile } from '../postgres/connectionProfile.ts';
import type { ConnectionParts, ConnectionProfile } from '../postgres/connectionProfile.ts';
import { connectionPartsOfUrl } from '../postgres/connectionUrl.ts';
import type { BackupSettings, Configuration, InstanceConfiguration } from './configuration.ts';
import type { HostEnvironment } from './environment.ts';
import { nearestWord } from './nearestWord.ts';
import { urlHasPassword } from './urlPassword.ts';

/** The instance a word of the command line means. */
export interface ResolvedInstance {
  /** The name its backups are kept under. */
  readonly name: string;
  readonly source: 'configuration' | 'url' | 'repository';
  readonly backup: BackupSettings;
  /** Directory of the server programs of its version, when configured. */
  readonly serverBinaries?: string;
  /**
   * How to reach the server. Throws `instance.not-configured` when only its backups are known, `connection.invalid-profile`
   * when what is configured cannot be used. A function, since what only reads the repository must work without a server.
   */
  readonly profile: () => ConnectionProfile;
}

/**
 * The instance a word names: a name of the configuration; a `postgresql://` URL, which is the configured instance with that
 * host and port (the URL's user, database and TLS parameters win) or else one named `<host>-<port>`; an instance of the
 * repository. `repositoryInstances` is asked only when it comes to that: names by every word that means them, which are the
 * name and its directory's. Throws `instance.unknown`, `usage.password-in-argument` and
 * `connection.invalid-profile`.
 */
export async function resolveInstance(
  configuration: Configuration,
  word: string,
  environment: HostEnvironment,
  repositoryInstances: () => Promise<ReadonlyMap<string, string>>,
): Promise<ResolvedInstance> {
  const configured = configuration.instances.get(word);
  if (configured !== undefined) return ofConfiguration(configured, {}, environment);
  if (/^postgres(?:ql)?:\/\//.test(word)) return ofUrl(word, configuration, environment);
  const stored = await repositoryInstances();
  const name = stored.get(word);
  if (name !== undefined) {
    const sameName = configuration.instances.get(name);
    return sameName === undefined ? ofRepository(name, configuration) : ofConfiguration(sameName, {}, environment);
  }
  const nearest = nearestWord(word, [...configuration.instances.keys(), ...stored.values()]);
  throw new PointbackError('instance.unknown', {
    message: `There is no instance "${word}": neither in ${configuration.file ?? 'a configuration file'} nor in the repository ${configuration.repository}.`,
    remedy:
      nearest === undefined
        ? `Run \`pointback list\` for the names, add "${word}" to "instances" of pointback.json, or give a URL such as postgresql://backup@db.example.com:5432.`
        : `Did you mean "${nearest}"? Run \`pointback list\` for all names.`,
  });
}

function ofConfiguration(
  instance: InstanceConfiguration,
  overrides: ConnectionParts,
  environment: HostEnvironment,
): ResolvedInstance {
  return {
    name: instance.name,
    source: 'configuration',
    backup: instance.backup,
    ...(instance.serverBinaries === undefined ? {} : { serverBinaries: instance.serverBinaries }),
    profile: () => {
      const own = connectionParts(instance);
      // The configured file holds the configured role's password, not another one's.
      const otherRole = overrides.user !== undefined && own.user !== undefined && overrides.user !== own.user;
      return connectionProfile(
        { ...own, ...(otherRole ? { passwordFile: undefined } : {}), ...overrides, instance: instance.name },
        environment.variables,
      );
    },
  };
}

function ofUrl(url: string, configuration: Configuration, environment: HostEnvironment): ResolvedInstance {
  if (urlHasPassword(url)) {
    throw new PointbackError('usage.password-in-argument', {
      message: 'The URL contains a password. Arguments can be read by every user of this machine.',
    });
  }
  const parts = connectionPartsOfUrl(url);
  const profile = connectionProfile(parts, environment.variables);
  const same = [...configuration.instances.values()].filter((instance) => isAt(instance, profile, environment));
  const configured = same.find((instance) => connectionParts(instance).user === parts.user) ?? same[0];
  if (configured !== undefined) return ofConfiguration(configured, parts, environment);
  const name = `${profile.host}-${profile.port}`;
  return { name, source: 'url', backup: {}, profile: () => ({ ...profile, instance: name }) };
}

function ofRepository(name: string, configuration: Configuration): ResolvedInstance {
  return {
    name,
    source: 'repository',
    backup: {},
    profile: () => {
      throw new PointbackError('instance.not-configured', {
        message: `The repository has backups of "${name}", but nothing says where its server is.`,
        remedy: `Add "${name}" with its "url" to "instances" of ${configuration.file ?? 'pointback.json'}, or give its postgresql:// URL instead of the name.`,
      });
    },
  };
}

function isAt(instance: InstanceConfiguration, profile: ConnectionProfile, environment: HostEnvironment): boolean {
  try {
    const { host, port } = connectionProfile(connectionParts(instance), environment.variables);
    return host.toLowerCase() === profile.host.toLowerCase() && port === profile.port;
  } catch {
    // Another instance that cannot be used is no reason to refuse this one.
    return false;
  }
}

function connectionParts(instance: InstanceConfiguration): ConnectionParts {
  const { url, host, port, user, database, sslMode, sslRootCert, sslCert, sslKey, passwordFile } = instance;
  const given = { host, port, user, database, sslMode, sslRootCert, sslCert, sslKey, passwordFile };
  const written = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...(url === undefined ? {} : connectionPartsOfUrl(url)), ...written };
}
