import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CheckReport } from '../../server/src/api/check.ts';
import { checkInstance } from '../../server/src/engine/check/checkInstance.ts';
import { openReplicationConnection } from '../../server/src/postgres/connect.ts';
import { connectionProfile, type ConnectionParts } from '../../server/src/postgres/connectionProfile.ts';
import {
  addLine,
  assertHealthy,
  check,
  errorsOf,
  fixOf,
  found,
  onlyError,
  operation,
  profileOf,
  roles,
  sqlOnly,
} from '../support/checking.ts';
import { freePort } from '../support/freePort.ts';
import { germanServer } from '../support/germanServer.ts';
import { pgBouncer } from '../support/pgBouncer.ts';
import { startServer } from '../support/postgresServer.ts';
import type { TestServer } from '../support/testServer.ts';

describe('whatever else may listen', () => {
  const noise = async (onConnection: (socket: Socket) => void): Promise<{ port: number; server: Server }> => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      onConnection(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    return { port: address.port, server };
  };
  const checkPort = (port: number, parts: ConnectionParts = {}, context = operation()): Promise<CheckReport> =>
    checkInstance(
      { profile: connectionProfile({ host: '127.0.0.1', port, user: 'backup', connectTimeoutMs: 300, ...parts }, {}) },
      context,
    );

  it('nothing', async () => {
    const finding = onlyError(await checkPort(await freePort()), 'connection.refused');
    assert.match(finding.text, /127\.0\.0\.1:\d+/);
  });

  it('an unknown host', async () => {
    onlyError(await checkPort(5432, { host: 'nowhere.invalid', connectTimeoutMs: 20_000 }), 'connection.host-unknown');
  });

  for (const sslMode of ['disable', 'prefer'] as const) {
    it(`a listener that never answers, sslmode=${sslMode}`, async () => {
      const sockets: Socket[] = [];
      const { port, server } = await noise((socket) => sockets.push(socket));
      onlyError(await checkPort(port, { sslMode }), 'connection.timeout');
      for (const socket of sockets) socket.destroy();
      server.close();
    });

    it(`one that closes at once, sslmode=${sslMode}`, async () => {
      const { port, server } = await noise((socket) => socket.end());
      onlyError(await checkPort(port, { sslMode }), 'connection.closed');
      server.close();
    });

    it(`one that speaks something else, sslmode=${sslMode}`, async () => {
      const { port, server } = await noise((socket) =>
        socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'),
      );
      const [code] = errorsOf(await checkPort(port, { sslMode }));
      assert.ok(code === 'connection.not-postgresql' || code === 'connection.timeout', code);
      server.close();
    });
  }

  it('one that asks for Kerberos, which the driver cannot read', async () => {
    const { port, server } = await noise((socket) => {
      socket.on('data', () => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 7])));
    });
    onlyError(await checkPort(port, { sslMode: 'disable' }), 'authentication.method-unsupported');
    server.close();
  });

  it('cancelling ends it at once', async () => {
    const controller = new AbortController();
    const sockets: Socket[] = [];
    const { port, server } = await noise((socket) => {
      sockets.push(socket);
      controller.abort();
    });
    const closed = new Promise((resolve) =>
      server.once('connection', (socket: Socket) => socket.once('close', resolve)),
    );
    await assert.rejects(checkPort(port, { connectTimeoutMs: 60_000 }, operation(controller.signal)), {
      name: 'AbortError',
    });
    for (const socket of sockets) socket.resume();
    await closed;
    server.close();
  });
});

it('does not read the language of the server', async (t) => {
  await using server = await startServer({ major: 15, source: 'debian', hba: sqlOnly('scram-sha-256') });
  await using german = await germanServer(server);
  if (german === undefined) {
    t.skip('this machine has no German messages for PostgreSQL 15');
    return;
  }
  await server.sql(roles);
  await server.setHba('host all postgres 127.0.0.1/32 scram-sha-256\n');
  await server.sql('SELECT pg_reload_conf()');
  const report = await check(server);
  const failure: unknown = await openReplicationConnection(profileOf(server), operation()).catch(
    (error: unknown) => error,
  );
  assert.ok(failure instanceof Error);
  assert.match(failure.message, /Eintrag/, 'the server does speak German');
  const finding = onlyError(report, 'replication.no-hba-line');
  assert.equal(await addLine(server, finding), 'host  replication  backup  127.0.0.1/32  scram-sha-256');
  await assertHealthy(server);
});

it('recognizes PgBouncer', async (t) => {
  await using server = await startServer({ major: 15 });
  await server.sql(roles);
  await using pooler = await pgBouncer(server, { backup: 'pw' });
  if (pooler === undefined) {
    t.skip('this machine has no pgbouncer');
    return;
  }
  // Refuses the parameter; ignores it and finds no database "replication"; ignores it and finds one.
  for (const [ignored, sql] of [
    ['', ''],
    ['replication', ''],
    ['replication', 'CREATE DATABASE replication'],
  ] as const) {
    await server.sql(sql);
    await pooler.ignoreParameters(ignored);
    const report = await check(server, { port: pooler.port });
    const finding = onlyError(report, 'pooler.in-between');
    assert.match(fixOf(finding, 'none').text, /dump/);
    assert.equal(fixOf(finding, 'command').text, `postgresql://backup@127.0.0.1:${server.port}`);
    assert.equal(Number.parseInt(report.serverVersion ?? '', 10), 15);
  }
});

it('offers dumps where a managed service is recognized, but only if physical backup fails', async () => {
  await using server = await startServer({ major: 16 });
  await server.sql(`${roles} CREATE ROLE rds_superuser;`);
  await assertHealthy(server);
  await server.setHba(sqlOnly());
  const finding = onlyError(await check(server), 'managed.no-physical-backup');
  assert.match(finding.text, /Amazon RDS/);
  assert.match(fixOf(finding, 'command').text, /^pointback dump/);
});

it('a standby says so, and whether its primary writes full pages', async () => {
  await using server = await startServer({ major: 16, settings: { full_page_writes: false } });
  await server.sql(`${roles} CHECKPOINT;`);
  const primary = await assertHealthy(server);
  assert.equal(primary.role, 'primary');
  assert.ok(
    !primary.findings.some(({ code }) => code === 'server.full-page-writes-off'),
    'a primary forces full pages',
  );
  await server.stop();
  await writeFile(join(server.dataDirectory, 'standby.signal'), '');
  await server.start();
  const report = await assertHealthy(server);
  assert.equal(report.role, 'standby');
  assert.equal(found(report, 'server.full-page-writes-off').severity, 'warning');
  await server.setHba('host replication all 127.0.0.1/32 scram-sha-256');
  assert.equal((await assertHealthy(server)).role, 'standby', 'without SQL as well');
});

it('a server that starts up says so', async () => {
  await using server = await startServer({ major: 17, settings: { hot_standby: false } });
  await server.sql(roles);
  await server.stop();
  await writeFile(join(server.dataDirectory, 'standby.signal'), '');
  // A standby that takes no connections looks to a client like a server that never finishes starting.
  const started = server.start();
  const end = started.then(
    () => 'ready',
    () => 'ended',
  );
  const report = await checkUntil(server, (candidate) => !errorsOf(candidate).includes('connection.refused'));
  onlyError(report, 'server.starting-up');
  await server.kill();
  await end;
});

async function checkUntil(server: TestServer, enough: (report: CheckReport) => boolean): Promise<CheckReport> {
  for (let round = 0; round < 200; round += 1) {
    const report = await check(server);
    if (enough(report)) return report;
  }
  throw new Error('gave up');
}
