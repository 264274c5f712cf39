import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { addLine, assertHealthy, check, errorsOf, fixOf, onlyError, openAndClose, roles } from '../support/checking.ts';
import { startServer } from '../support/postgresServer.ts';
import type { TestServer } from '../support/testServer.ts';

describe('TLS', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer({ major: 18, tls: true });
    await server.sql(roles);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });
  const root = (): string => server.certificates?.caCertificate ?? '';
  const ofPostgres = 'host all postgres 127.0.0.1/32 scram-sha-256\n';

  it('is used when the server has it, and in the line, too', async () => {
    await server.setHba(`${ofPostgres}hostssl all all 127.0.0.1/32 scram-sha-256\n`);
    assert.equal(await openAndClose(server), true);
    const finding = onlyError(await check(server), 'replication.no-hba-line');
    assert.match(finding.text, /127\.0\.0\.1 with TLS/);
    assert.equal(await addLine(server, finding), 'hostssl  replication  backup  127.0.0.1/32  scram-sha-256');
    await assertHealthy(server);
  });

  it('that only the server demands is told from a missing line', async () => {
    await server.setHba(`${ofPostgres}hostssl all,replication all 127.0.0.1/32 scram-sha-256\n`);
    const finding = onlyError(await check(server, { sslMode: 'disable' }), 'tls.required-by-server');
    assert.match(fixOf(finding, 'none').text, /sslmode=require/);
    for (const sslMode of ['allow', 'prefer', 'require'] as const) await assertHealthy(server, { sslMode });
  });

  it('falls back to none with prefer where the lines want that', async () => {
    await server.setHba(`${ofPostgres}hostnossl all,replication all 127.0.0.1/32 scram-sha-256\n`);
    await assertHealthy(server, { sslMode: 'prefer' });
    assert.equal(await openAndClose(server, { sslMode: 'prefer' }), false);
    onlyError(await check(server, { sslMode: 'require' }), 'replication.no-hba-line');
  });

  it('verifies what the modes say', async () => {
    await server.setHba(`${ofPostgres}host all,replication all 127.0.0.1/32 scram-sha-256\n`);
    await assertHealthy(server, { sslMode: 'verify-full', sslRootCert: root() });
    await assertHealthy(server, { sslMode: 'verify-ca', sslRootCert: root() });
    // The server's own certificate is no authority that signed it.
    const wrong = server.certificates?.clientCertificate ?? '';
    for (const sslMode of ['require', 'verify-ca', 'verify-full'] as const) {
      const finding = onlyError(await check(server, { sslMode, sslRootCert: wrong }), 'tls.certificate');
      assert.match(fixOf(finding, 'command').text, /^openssl s_client -starttls postgres/);
    }
    onlyError(await check(server, { sslMode: 'verify-full', sslRootCert: 'system' }), 'tls.certificate');
    const missing = onlyError(
      await check(server, { sslMode: 'verify-ca', sslRootCert: '/nowhere/root.crt' }),
      'tls.file',
    );
    assert.match(missing.text, /\/nowhere\/root\.crt/);
    // libpq: without a root certificate `require` verifies nothing, with `prefer` a failure means plain text.
    assert.equal(await openAndClose(server, { sslMode: 'require' }), true);
    assert.equal(await openAndClose(server, { sslMode: 'prefer', sslRootCert: wrong }), false);
  });

  it('compares the name with verify-full only', async () => {
    const other = '127.0.0.2';
    await server.setHba(`${ofPostgres}host all,replication all 127.0.0.0/8 scram-sha-256\n`);
    await server.addSettings({ listen_addresses: '127.0.0.1,127.0.0.2' });
    await server.restart();
    const parts = { host: other, sslRootCert: root() };
    assert.equal(await openAndClose(server, { ...parts, sslMode: 'verify-ca' }), true);
    onlyError(await check(server, { ...parts, sslMode: 'verify-full' }), 'tls.certificate');
  });

  it('takes a client certificate in place of a password', async () => {
    await server.setHba(`${ofPostgres}hostssl all,replication all 127.0.0.1/32 cert map=any\n`);
    await writeFile(join(server.dataDirectory, 'pg_ident.conf'), 'any /^.*$ backup\n');
    server.reload();
    const { clientCertificate = '', clientKey = '' } = server.certificates ?? {};
    const parts = { sslMode: 'require', sslCert: clientCertificate, sslKey: clientKey, password: undefined } as const;
    await assertHealthy(server, parts);
    assert.deepEqual(errorsOf(await check(server, { sslMode: 'require', password: undefined })).length, 1);
  });

  it('that the server does not offer', async () => {
    await using plain = await startServer({ major: 18 });
    const finding = onlyError(await check(plain, { sslMode: 'require' }), 'tls.refused-by-server');
    assert.equal(fixOf(finding, 'setting').text, 'ssl = on');
    await plain.sql(roles);
    assert.equal(await openAndClose(plain, { sslMode: 'prefer' }), false);
  });
});
