import assert from 'node:assert/strict';
import { chmod, chown, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import pg from 'pg';
import { isPointbackError } from '../../server/src/api/errors.ts';
import type { PointbackError } from '../../server/src/api/errors.ts';
import { startPostmaster, stopPostmaster } from '../../server/src/postgres/postmaster.ts';
import type { PostmasterStart } from '../../server/src/postgres/postmaster.ts';
import { freshDataDirectory } from '../support/dataDirectory.ts';
import type { TestDataDirectory } from '../support/dataDirectory.ts';
import { superuser } from '../support/dataDirectoryTemplate.ts';
import { freePort } from '../support/freePort.ts';
import { serverBinaries } from '../support/postgresBinaries.ts';
import { isRunning } from '../support/processes.ts';
import { unprivilegedUser } from '../support/unprivileged.ts';
import { waitFor } from '../support/waitFor.ts';

const never = new AbortController().signal;
const stopping = { signal: never, timeoutMs: 30_000 };

async function startOf(data: TestDataDirectory, changes: Partial<PostmasterStart> = {}): Promise<PostmasterStart> {
  const owner = unprivilegedUser();
  return {
    binaries: data.binaries.bin,
    dataDirectory: data.path,
    port: await freePort(),
    logFile: join(data.home, 'server.log'),
    signal: never,
    timeoutMs: 60_000,
    ...(owner === undefined ? {} : { owner }),
    ...changes,
  };
}

async function ask(port: number, question: string): Promise<unknown> {
  const client = new pg.Client({ host: '127.0.0.1', port, database: 'postgres', ssl: false, ...superuser });
  await client.connect();
  try {
    return Object.values((await client.query<Record<string, unknown>>(question)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

/** Starts what cannot start, and makes sure that no process is left of it. */
async function failureOf(data: TestDataDirectory, start: PostmasterStart): Promise<PointbackError> {
  const error: unknown = await startPostmaster(start).then(
    () => assert.fail('It started.'),
    (reason: unknown) => reason,
  );
  assert.ok(isPointbackError(error), String(error));
  assert.equal(await stopPostmaster(data.path, 'immediate', stopping), false, 'Something was left running.');
  return error;
}

for (const major of [13, 15, 16, 17, 18]) {
  test(`PostgreSQL ${major} starts, survives its starter's environment, and stops`, async () => {
    await using data = await freshDataDirectory(major);
    process.env['PGPASSWORD'] = 'never-for-the-server';
    process.env['PGDATA'] = '/nowhere';
    const start = await startOf(data, { options: ['-c', 'work_mem=7MB'] });
    const running = await startPostmaster(start).finally(() => {
      delete process.env['PGPASSWORD'];
      delete process.env['PGDATA'];
    });
    assert.equal(await ask(start.port, 'SHOW work_mem'), '7MB');
    assert.match(await readFile(start.logFile, 'utf8'), /database system is ready to accept connections/);
    const environment = await readFile(`/proc/${running.pid}/environ`, 'latin1');
    assert.match(environment, /LC_ALL=C/);
    assert.doesNotMatch(environment, /PGPASSWORD|PGDATA=\/nowhere|never-for-the-server/);

    assert.equal(await stopPostmaster(data.path, 'fast', stopping), true);
    assert.equal(await isRunning(running.pid), false);
    assert.match(await readFile(start.logFile, 'utf8'), /database system is shut down/);
    assert.equal(await stopPostmaster(data.path, 'fast', stopping), false);
  });
}

test('a server leads a process group of its own, so that Ctrl-C at the terminal does not end it', async () => {
  await using data = await freshDataDirectory(18);
  const { pid } = await startPostmaster(await startOf(data));
  const status = await readFile(`/proc/${pid}/stat`, 'utf8');
  assert.equal(Number(/^.*\) \S \d+ (\d+)/s.exec(status)?.[1]), pid);
});

test('a server in recovery that takes no connections is waited for until it does', async () => {
  await using data = await freshDataDirectory(18);
  const go = join(data.home, 'go');
  const hold = `while grep -q standby postmaster.pid && ! test -e ${go}; do sleep 0.1; done; exit 1`;
  await data.configure(`hot_standby = off\nrestore_command = '${hold}'`);
  await writeFile(join(data.path, 'recovery.signal'), '');
  const start = await startOf(data);
  let isStarted = false;
  const started = startPostmaster(start).then(() => (isStarted = true));
  await waitFor('the postmaster says that it recovers', async () =>
    (await readFile(join(data.path, 'postmaster.pid'), 'utf8').catch(() => '')).includes('standby'),
  );
  assert.equal(isStarted, false);
  await writeFile(go, '');
  await started;
  assert.equal(await ask(start.port, 'SELECT pg_is_in_recovery()'), false);
});

test('a server in recovery that takes read-only connections counts as started', async () => {
  await using data = await freshDataDirectory(18);
  await data.configure("restore_command = 'exit 1'");
  await writeFile(join(data.path, 'standby.signal'), '');
  const start = await startOf(data);
  await startPostmaster(start);
  assert.equal(await ask(start.port, 'SELECT pg_is_in_recovery()'), true);
});

test('its socket goes where it is told', async () => {
  await using data = await freshDataDirectory(15);
  const start = await startOf(data, { socketDirectory: data.home });
  await startPostmaster(start);
  assert.ok((await stat(join(data.home, `.s.PGSQL.${start.port}`))).isSocket());
});

test('smart waits for sessions and says so; fast ends them', async () => {
  await using data = await freshDataDirectory(18);
  const start = await startOf(data);
  const { pid } = await startPostmaster(start);
  const client = new pg.Client({ host: '127.0.0.1', port: start.port, database: 'postgres', ssl: false, ...superuser });
  client.on('error', () => undefined);
  await client.connect();
  await assert.rejects(stopPostmaster(data.path, 'smart', { signal: never, timeoutMs: 300 }), (error) =>
    isPointbackError(error, 'restored-server.not-stopped'),
  );
  assert.equal(await isRunning(pid), true);
  assert.equal(await stopPostmaster(data.path, 'fast', stopping), true);
  await client.end().catch(() => undefined);
});

test('stopping touches no process but the postmaster of the directory', async () => {
  await using data = await freshDataDirectory(18);
  await using other = await freshDataDirectory(18);
  const { pid } = await startPostmaster(await startOf(other));
  const left = (await readFile(join(other.path, 'postmaster.pid'), 'utf8')).split('\n');
  // What a power cut leaves: a process id that somebody else has by now, even another postmaster.
  for (const strangers of [pid, process.pid]) {
    await writeFile(join(data.path, 'postmaster.pid'), [strangers, data.path, ...left.slice(2)].join('\n'));
    assert.equal(await stopPostmaster(data.path, 'fast', stopping), false);
    assert.equal(await isRunning(strangers), true);
  }
});

describe('a server that does not become ready', () => {
  /** Recovery that asks for a WAL file and gets no answer. */
  async function stuckInRecovery(): Promise<{ data: TestDataDirectory; isStuck: () => Promise<boolean> }> {
    const data = await freshDataDirectory(18);
    const mark = join(data.home, 'asked');
    await data.configure(`restore_command = 'touch ${mark}; sleep 1000'`);
    await writeFile(join(data.path, 'recovery.signal'), '');
    return {
      data,
      isStuck: () =>
        stat(mark).then(
          () => true,
          () => false,
        ),
    };
  }

  test('is ended when the signal fires, and nothing is left', async () => {
    const { data, isStuck } = await stuckInRecovery();
    await using _ = data;
    const controller = new AbortController();
    const started = startPostmaster(await startOf(data, { signal: controller.signal }));
    const rejected = assert.rejects(started, { message: 'enough' });
    await waitFor('recovery is stuck', isStuck);
    const pid = Number((await readFile(join(data.path, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    controller.abort(new Error('enough'));
    await rejected;
    assert.equal(await isRunning(pid), false);
  });

  test('is ended when its time is over', async () => {
    const { data } = await stuckInRecovery();
    await using _ = data;
    const error = await failureOf(data, await startOf(data, { timeoutMs: 1500 }));
    assert.equal(error.code, 'restored-server.failed');
    assert.match(error.message, /did not start: it took longer than 1.5 s/);
  });

  test('is not started at all when the signal has fired', async () => {
    await using data = await freshDataDirectory(18);
    const start = await startOf(data, { signal: AbortSignal.abort(new Error('before')) });
    await assert.rejects(startPostmaster(start), { message: 'before' });
    await assert.rejects(stat(start.logFile), { code: 'ENOENT' });
  });

  test('says so when there are no programs', async () => {
    await using data = await freshDataDirectory(18);
    const error = await failureOf(data, await startOf(data, { binaries: '/nowhere' }));
    assert.match(error.message, /\/nowhere has no program that can run/);
  });
});

/** Why a start fails: how to get there, and what must be said. */
const causes: {
  cause: string;
  majors: readonly number[];
  break: (data: TestDataDirectory) => Promise<Partial<PostmasterStart> | undefined>;
  message: RegExp;
  remedy: RegExp;
}[] = [
  {
    cause: 'setting-invalid',
    majors: [13, 15, 18],
    break: async (data) => {
      await data.configure('nonsense = 1');
      return undefined;
    },
    message:
      /configuration has an error: unrecognized configuration parameter "nonsense" in file ".*postgresql\.conf" line \d+/,
    remedy: /Correct the setting in its configuration/,
  },
  {
    cause: 'setting-invalid',
    majors: [13, 18],
    break: () => Promise.resolve({ options: ['-c', 'work_mem=lots'] }),
    message: /a setting it was started with is wrong: .*"work_mem"/,
    remedy: /Correct the setting/,
  },
  {
    cause: 'library-missing',
    majors: [13, 15, 18],
    break: async (data) => {
      await data.configure("shared_preload_libraries = 'not_installed_here'");
      return undefined;
    },
    message: /the library "not_installed_here" is not installed/,
    remedy: /Install the extension that brings "not_installed_here".*shared_preload_libraries/,
  },
  {
    cause: 'locale-missing',
    majors: [13, 15, 18],
    break: async (data) => {
      await data.configure("lc_monetary = 'tlh_KX.UTF-8'");
      return undefined;
    },
    message: /no locale "tlh_KX.UTF-8", which lc_monetary asks for/,
    remedy: /set lc_monetary to C/,
  },
  {
    cause: 'wrong-version',
    majors: [13, 18],
    break: async (data) => ({ binaries: (await serverBinaries(data.binaries.major === 18 ? 17 : 18))!.bin }),
    message: /its data is of PostgreSQL 1\d, these programs are of 1\d\.\d+/,
    remedy: /programs of PostgreSQL (13|18)\.$/,
  },
  {
    cause: 'directory-permissions',
    majors: [13, 15, 18],
    break: async (data) => {
      await chmod(data.path, 0o755);
      return undefined;
    },
    message: /may not use the data directory/,
    remedy: /mode 0700/,
  },
  {
    cause: 'shared-memory',
    majors: [13, 15, 18],
    break: async (data) => {
      await data.configure("shared_buffers = '4TB'\nhuge_pages = off");
      return undefined;
    },
    message: /shared memory/,
    remedy: /Lower shared_buffers/,
  },
  {
    cause: 'parameters-too-low',
    majors: [13, 15, 18],
    break: async (data) => {
      await writeFile(join(data.path, 'recovery.signal'), '');
      await data.configure("max_connections = 20\nrestore_command = 'exit 1'");
      return undefined;
    },
    message: /max_connections is 20, less than the 100 of the original server/,
    remedy: /Set max_connections to at least 100/,
  },
  {
    cause: 'hba-invalid',
    majors: [13, 15, 18],
    break: async (data) => {
      await writeFile(join(data.path, 'pg_hba.conf'), 'host all all nonsense\n');
      return undefined;
    },
    message: /it cannot load \S*pg_hba\.conf/,
    remedy: /Correct the line/,
  },
  {
    cause: 'socket-directory',
    majors: [13, 18],
    break: () => Promise.resolve({ socketDirectory: '/nowhere' }),
    message: /socket's lock file/,
    remedy: /unix_socket_directories/,
  },
  {
    cause: 'wal-missing',
    majors: [13, 18],
    break: async (data) => {
      await rm(join(data.path, 'pg_wal', '000000010000000000000001'));
      return undefined;
    },
    message: /WAL .* is missing or damaged/,
    remedy: /Verify the backup/,
  },
  {
    cause: 'target-not-reached',
    majors: [13, 15, 18],
    break: async (data) => {
      await writeFile(join(data.path, 'recovery.signal'), '');
      await data.configure("recovery_target_name = 'never made'\nrestore_command = 'exit 1'\nhot_standby = off");
      return undefined;
    },
    message: /the WAL ends before the recovery target/,
    remedy: /pointback coverage/,
  },
];

describe('a start that fails says why and what to do', () => {
  for (const { cause, majors, break: breakIt, message, remedy } of causes) {
    for (const major of majors) {
      test(`${cause}, PostgreSQL ${major}`, async () => {
        await using data = await freshDataDirectory(major);
        const error = await failureOf(data, await startOf(data, await breakIt(data)));
        assert.equal(error.details?.['cause'], cause, error.message);
        assert.equal(error.code, cause === 'target-not-reached' ? 'restored-server.short' : 'restored-server.failed');
        assert.match(error.message, message);
        assert.match(error.remedy, remedy);
        assert.match(error.message, /Its last words:\n.*(FATAL|PANIC): /, "the server's own words are missing");
      });
    }
  }

  for (const major of [13, 18]) {
    test(`port-in-use, PostgreSQL ${major}`, async () => {
      await using data = await freshDataDirectory(major);
      const start = await startOf(data);
      const blocker = createServer().listen(start.port, '127.0.0.1');
      try {
        await waitFor('the port is taken', () => blocker.listening);
        const error = await failureOf(data, start);
        assert.equal(error.details?.['cause'], 'port-in-use', error.message);
        assert.match(error.remedy, /--port/);
      } finally {
        blocker.close();
      }
    });

    test(`already-running, PostgreSQL ${major}: the running server is left alone`, async () => {
      await using data = await freshDataDirectory(major);
      const start = await startOf(data);
      const { pid } = await startPostmaster(start);
      await assert.rejects(startPostmaster({ ...start, port: await freePort() }), (error) => {
        assert.ok(isPointbackError(error, 'restored-server.failed'));
        assert.equal(error.details?.['cause'], 'already-running', error.message);
        return true;
      });
      assert.equal(await isRunning(pid), true);
      assert.equal(await ask(start.port, 'SELECT 1'), 1);
    });
  }

  test('started-as-root', { skip: unprivilegedUser() === undefined && 'the tests do not run as root' }, async () => {
    await using data = await freshDataDirectory(18);
    const { owner: _, ...start } = await startOf(data);
    const error = await failureOf(data, start);
    assert.equal(error.details?.['cause'], 'started-as-root', error.message);
    assert.match(error.remedy, /as owner of the directory/);
  });

  test('only what this start wrote into the log counts', async () => {
    await using data = await freshDataDirectory(18);
    const start = await startOf(data);
    await writeFile(start.logFile, 'FATAL:  could not access file "of_an_earlier_start": No such file or directory\n');
    const account = unprivilegedUser();
    if (account !== undefined) await chown(start.logFile, account.uid, account.gid);
    await data.configure('nonsense = 1');
    const error = await failureOf(data, start);
    assert.equal(error.details?.['cause'], 'setting-invalid', error.message);
    assert.doesNotMatch(error.message, /of_an_earlier_start/);
  });
});
