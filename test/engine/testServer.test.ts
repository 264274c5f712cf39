import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import pg from 'pg';
import { removeAbandonedServers } from '../support/abandonedServers.ts';
import { clientTool, testedMajors } from '../support/postgresBinaries.ts';
import { startServer } from '../support/postgresServer.ts';
import { isRunning } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import { waitFor } from '../support/waitFor.ts';

// What every other engine test stands on.
for (const major of testedMajors) {
  test(`a server of PostgreSQL ${major} takes SQL and replication connections, by password only`, async () => {
    await using server = await startServer({ major, settings: { work_mem: '7MB' } });
    assert.match(await server.value('SHOW server_version'), new RegExp(`^${major}\\.`));
    assert.equal(await server.value('SHOW work_mem'), '7MB');
    assert.deepEqual(await server.sql('CREATE TABLE one (x int); SELECT 1 AS x'), [{ x: 1 }]);
    const replication = new pg.Client({ connectionString: `${server.url()}?replication=true` });
    await replication.connect();
    const identified = await replication.query<{ timeline: number | string }>('IDENTIFY_SYSTEM');
    await replication.end();
    // An int4 before 16, an int8 since, which the library gives as text.
    assert.equal(Number(identified.rows[0]?.timeline), 1);
    const wrong = new pg.Client({ connectionString: server.url('postgres', 'postgres', 'wrong') });
    await assert.rejects(wrong.connect(), { code: '28P01' });
  });
}

test('servers of one major share a system identifier, unless told', async () => {
  await using one = await startServer({ major: 18 });
  await using other = await startServer({ major: 18 });
  await using own = await startServer({ major: 18, ownSystemIdentifier: true });
  const identifier = 'SELECT system_identifier FROM pg_control_system()';
  assert.equal(await one.value(identifier), await other.value(identifier));
  assert.notEqual(await one.value(identifier), await own.value(identifier));
});

test("initdb's arguments count", async () => {
  await using server = await startServer({ major: 16, initdbArguments: ['--wal-segsize=1', '--data-checksums'] });
  assert.equal(await server.value('SHOW wal_segment_size'), '1MB');
  assert.equal(await server.value('SHOW data_checksums'), 'on');
});

test('committed work survives a power cut, and the server starts again', async () => {
  await using server = await startServer({ major: 18 });
  await server.sql('CREATE TABLE kept AS SELECT 7 AS x');
  const pid = server.pid!;
  await server.kill();
  assert.equal(await isRunning(pid), false);
  assert.equal(server.pid, undefined);
  await server.start();
  assert.equal(await server.value('SELECT x FROM kept'), '7');
  assert.match(await server.log(), /database system was not properly shut down/);
  await server.restart('immediate');
  assert.equal(await server.value('SELECT x FROM kept'), '7');
});

for (const major of [13, 18]) {
  test(`a new pg_hba.conf counts for the next connection, PostgreSQL ${major}`, async () => {
    await using server = await startServer({ major });
    for (let round = 0; round < 5; round++) {
      await server.setHba('host all all 127.0.0.1/32 reject\n');
      await assert.rejects(server.sql('SELECT 1'), { code: '28000' });
      await server.setHba('host all all 127.0.0.1/32 scram-sha-256\n');
      await server.sql('SELECT 1');
    }
  });
}

test('TLS, checked against its own authority', async () => {
  await using server = await startServer({ major: 17, tls: true });
  const ca = await readFile(server.certificates!.caCertificate, 'utf8');
  const client = new pg.Client({ connectionString: server.url(), ssl: { ca, rejectUnauthorized: true } });
  await client.connect();
  assert.equal(
    (await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows[0]?.ssl,
    true,
  );
  await client.end();
});

test(
  'the official tools are there',
  { skip: (await clientTool('psql')) === undefined && 'no postgresql-client' },
  async () => {
    for (const tool of ['psql', 'pg_basebackup', 'pg_verifybackup', 'pg_dump']) {
      assert.ok(await clientTool(tool, 15), tool);
    }
    assert.equal(await clientTool('no_such_tool'), undefined);
  },
);

describe('nothing survives', () => {
  test('its scope', async () => {
    let left: { pid: number; directory: string };
    {
      await using server = await startServer({ major: 18 });
      await using directory = await temporaryDirectory();
      await writeFile(join(directory.path, 'file'), '');
      left = { pid: server.pid!, directory: server.directory };
      assert.ok(existsSync(server.dataDirectory));
      assert.equal(dirname(directory.path), dirname(server.directory));
    }
    assert.equal(await isRunning(left.pid), false);
    await assert.rejects(stat(left.directory), { code: 'ENOENT' });
  });

  /** A process that starts a server, says where, and then does as told. */
  async function processWithServer(
    then: string,
  ): Promise<{ process: ReturnType<typeof spawn>; pid: number; directory: string }> {
    const support = JSON.stringify(new URL('../support/postgresServer.ts', import.meta.url).href);
    const program = `import { startServer } from ${support};
      const server = await startServer({ major: 18 });
      console.log(JSON.stringify({ pid: server.pid, directory: server.directory }));
      ${then}`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [text] = (await once(child.stdout, 'data')) as [Buffer];
    return { process: child, ...(JSON.parse(text.toString()) as { pid: number; directory: string }) };
  }

  for (const [name, then, signal] of [
    ['process.exit', 'process.exit(0)', undefined],
    ['an error that nobody catches', "setTimeout(() => { throw new Error('thrown on purpose'); })", undefined],
    ['SIGTERM', 'setInterval(() => {}, 1000)', 'SIGTERM'],
    ['SIGINT', 'setInterval(() => {}, 1000)', 'SIGINT'],
  ] as const) {
    test(`a test process that ends by ${name}`, async () => {
      const { process: child, pid, directory } = await processWithServer(then);
      if (signal !== undefined) child.kill(signal);
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await waitFor('the server is gone', async () => !(await isRunning(pid)));
      assert.equal(existsSync(directory), false);
      if (signal !== undefined) assert.equal(child.signalCode, signal);
    });
  }

  test('a test process that was killed, once the next run tidies up', async () => {
    const { process: child, pid, directory } = await processWithServer('setInterval(() => {}, 1000)');
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(await isRunning(pid), true);
    await removeAbandonedServers();
    assert.equal(await isRunning(pid), false);
    assert.equal(existsSync(directory), false);
  });
});
