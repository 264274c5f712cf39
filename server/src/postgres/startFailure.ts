/** Why a server did not start, as its log tells. */
export interface StartFailure {
  /** A stable name of the cause, for programs. */
  readonly cause: string;
  /** Completes "the server did not start: …", without a full stop. */
  readonly message: string;
  readonly remedy: string;
}

interface KnownCause {
  readonly cause: string;
  readonly pattern: RegExp;
  readonly message: (match: RegExpExecArray) => string;
  readonly remedy: (match: RegExpExecArray) => string;
}

const first = (match: RegExpExecArray): string => match[1] ?? '';

/** The failure of programs of one version on data of another. They may well trip over a newer version's settings first. */
export function wrongVersion(dataVersion: string, programVersion: string): StartFailure {
  return {
    cause: 'wrong-version',
    message: `its data is of PostgreSQL ${dataVersion}, these programs are of ${programVersion}`,
    remedy: `Start it with the programs of PostgreSQL ${dataVersion}.`,
  };
}

/**
 * The causes that have a remedy of their own, by what the server writes with `lc_messages = C`; the first that matches
 * counts. The texts are those of PostgreSQL 13 to 18 (postmaster.c, miscinit.c, pqcomm.c, pg_shmem.c, guc.c, xlog.c).
 */
const knownCauses: readonly KnownCause[] = [
  {
    cause: 'started-as-root',
    pattern: /"root" execution of the PostgreSQL server is not permitted/,
    message: () => 'PostgreSQL refuses to run as root',
    remedy: () => 'Name the account that shall run it as owner of the directory, such as postgres.',
  },
  {
    cause: 'already-running',
    pattern: /lock file "postmaster\.pid" already exists|pre-existing shared memory block .* is still in use/,
    message: () => 'a server runs in this directory already, or processes of one are still ending',
    remedy: () => 'Use the running server, or stop it first with `pg_ctl stop`.',
  },
  {
    cause: 'port-in-use',
    pattern:
      /could not bind \S+ address "[^"]*": Address already in use|lock file "[^"]*\.s\.PGSQL\.\d+\.lock" already exists/,
    message: () => 'its port is in use by another program',
    remedy: () => 'Choose another port with --port, or stop the other program.',
  },
  {
    cause: 'wrong-version',
    pattern: /initialized by PostgreSQL version ([^\s,]+), which is not compatible with this version (\S+?)\.?(?:\s|$)/,
    message: (match) => wrongVersion(first(match), match[2] ?? '').message,
    remedy: (match) => wrongVersion(first(match), match[2] ?? '').remedy,
  },
  {
    cause: 'directory-permissions',
    pattern:
      /data directory "[^"]*" has (?:invalid permissions|wrong ownership)|could not (?:access|read|open)[^\n]*: Permission denied/,
    message: () => 'the account that runs it may not use the data directory, or others may',
    remedy: () =>
      'The directory and all in it must belong to the account that runs the server, with mode 0700, and every directory ' +
      'above it must let that account pass.',
  },
  {
    cause: 'library-missing',
    pattern: /could not (?:access file|load library) "([^"]*)"/,
    message: (match) => `the library "${first(match)}" is not installed for these programs`,
    remedy: (match) =>
      `Install the extension that brings "${first(match)}" for this major version, or take it out of shared_preload_libraries.`,
  },
  {
    cause: 'locale-missing',
    pattern: /invalid value for parameter "(lc_\w+)": "([^"]*)"/,
    message: (match) => `this machine has no locale "${match[2] ?? ''}", which ${first(match)} asks for`,
    remedy: (match) => `Make the locale available (on Debian: dpkg-reconfigure locales), or set ${first(match)} to C.`,
  },
  {
    cause: 'shared-memory',
    pattern:
      /could not (?:map anonymous shared memory|create shared memory segment|resize shared memory segment|create semaphores)[^\n]*|not enough shared memory/,
    message: () => 'the machine does not give it the shared memory it asks for',
    remedy: () => 'Lower shared_buffers and max_connections, set huge_pages = off, or raise the limits of the machine.',
  },
  {
    cause: 'parameters-too-low',
    // 13 has it in one sentence: … than on the master server (its value was 100).
    pattern:
      /(\w+) = (\d+) is a lower setting than on the (?:primary server, where|master server \() ?its value was (\d+)/,
    message: (match) => `${first(match)} is ${match[2] ?? ''}, less than the ${match[3] ?? ''} of the original server`,
    remedy: (match) => `Set ${first(match)} to at least ${match[3] ?? ''}.`,
  },
  {
    cause: 'setting-invalid',
    pattern:
      /LOG: {2}([^\n]*\b(?:parameter|syntax error)\b[^\n]*)\n[\s\S]*FATAL: {2}configuration file "[^"]*" contains errors/,
    message: (match) => `its configuration has an error: ${first(match)}`,
    remedy: () => 'Correct the setting in its configuration, and start it again.',
  },
  {
    cause: 'setting-invalid',
    pattern: /FATAL: {2}((?:unrecognized configuration parameter|invalid value for parameter|parameter) "[^\n]*)/,
    message: (match) => `a setting it was started with is wrong: ${first(match)}`,
    remedy: () => 'Correct the setting, and start it again.',
  },
  {
    cause: 'hba-invalid',
    pattern: /FATAL: {2}could not load (\S+)/,
    message: (match) => `it cannot load ${first(match)}`,
    remedy: () => 'Correct the line of that file which the log names, and start it again.',
  },
  {
    cause: 'socket-directory',
    pattern: /could not create lock file "([^"]*)": (?:Permission denied|No such file or directory)/,
    message: (match) => `it cannot make its socket's lock file ${first(match)}`,
    remedy: () => 'Set unix_socket_directories to a directory that the account running the server can write to.',
  },
  {
    cause: 'target-not-reached',
    pattern: /recovery ended before configured recovery target was reached/,
    message: () => 'the WAL ends before the recovery target',
    remedy: () => 'Restore to an earlier moment: `pointback coverage INSTANCE` shows what there is.',
  },
  {
    cause: 'wal-missing',
    pattern:
      /could not locate (?:a valid checkpoint record|required checkpoint record)|requested timeline \d+ is not a child/,
    message: () => 'the WAL that makes the backup consistent is missing or damaged',
    remedy: () => 'Verify the backup with `pointback verify`, and restore again; restore another one if that fails.',
  },
  {
    cause: 'no-space',
    pattern: /No space left on device/,
    message: () => 'the disk is full',
    remedy: () => 'Free space on the disk of the data directory, and start it again.',
  },
];

/** The lines of a log with a FATAL or PANIC and what belongs to them, newest last; else the log's last lines. */
export function lastWords(log: string): string[] {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const fatal = lines.filter((line) => /\b(?:FATAL|PANIC): /.test(line));
  return (fatal.length > 0 ? fatal : lines).slice(-3);
}

/** What a log with `lc_messages = C` says about a server that did not start; undefined when no known cause fits. */
export function explainStartFailure(log: string): StartFailure | undefined {
  for (const { cause, pattern, message, remedy } of knownCauses) {
    const match = pattern.exec(log);
    if (match !== null) return { cause, message: message(match), remedy: remedy(match) };
  }
  return undefined;
}
