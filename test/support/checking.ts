import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckReport, Finding, Fix } from '../../server/src/api/check.ts';
import { checkInstance } from '../../server/src/engine/check/checkInstance.ts';
import type { OperationContext } from '../../server/src/engine/context.ts';
import { openSqlConnection } from '../../server/src/postgres/connect.ts';
import { connectionProfile } from '../../server/src/postgres/connectionProfile.ts';
import type { ConnectionParts, ConnectionProfile } from '../../server/src/postgres/connectionProfile.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import type { TestServer } from './testServer.ts';

/** What an operation gets from a test; nobody is there to ask for a password. */
export const operation = (signal = new AbortController().signal): OperationContext => ({
  signal,
  progress: () => undefined,
  log: () => undefined,
  secrets: { password: () => Promise.resolve(undefined) },
});

/** The profile of role `backup`, with nothing taken from this machine's environment. */
export const profileOf = (server: TestServer, parts: ConnectionParts = {}): ConnectionProfile =>
  connectionProfile(
    { host: server.host, port: server.port, user: 'backup', password: new Secret('pw'), ...parts },
    { HOME: server.directory },
  );

/** Checks a server as that role. */
export const check = (server: TestServer, parts: ConnectionParts = {}): Promise<CheckReport> =>
  checkInstance({ profile: profileOf(server, parts) }, operation());

/** Makes the roles; all have the password `pw`. */
export const roles = `
CREATE ROLE backup LOGIN REPLICATION PASSWORD 'pw';
CREATE ROLE plain LOGIN PASSWORD 'pw';
CREATE ROLE "Back, up" LOGIN REPLICATION PASSWORD 'pw';
CREATE ROLE nologin REPLICATION PASSWORD 'pw';
CREATE ROLE expired LOGIN REPLICATION PASSWORD 'pw' VALID UNTIL '2001-01-01';
`;

/** The finding of a code, which must be there. */
export function found(report: CheckReport, code: string): Finding {
  const finding = report.findings.find((candidate) => candidate.code === code);
  assert.ok(finding, `no ${code} among ${JSON.stringify(report.findings, undefined, 1)}`);
  return finding;
}

/** The codes of a report's errors; `ok` must agree with them. */
export function errorsOf(report: CheckReport): string[] {
  assert.equal(report.ok, !report.findings.some(({ severity }) => severity === 'error'));
  return report.findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
}

/** The one error of a report. */
export function onlyError(report: CheckReport, code: string): Finding {
  assert.deepEqual(errorsOf(report), [code], JSON.stringify(report.findings, undefined, 1));
  return found(report, code);
}

/** The finding's fix of a kind, which must be there. */
export function fixOf({ fix }: Finding, kind: Fix['kind'], index = 0): Fix {
  const fits = (fix ?? []).filter((candidate) => candidate.kind === kind)[index];
  assert.ok(fits, `no ${kind} among ${JSON.stringify(fix)}`);
  return fits;
}

/** Does exactly what the finding says: the line on top of pg_hba.conf, and a reload. */
export async function addLine(server: TestServer, finding: Finding): Promise<string> {
  const { text } = fixOf(finding, 'pg_hba-line');
  const file = join(server.dataDirectory, 'pg_hba.conf');
  await writeFile(file, `${text}\n${await readFile(file, 'utf8')}`);
  await server.sql('SELECT pg_reload_conf()');
  return text;
}

/** Checks, and finds that backups work. */
export async function assertHealthy(server: TestServer, parts: ConnectionParts = {}): Promise<CheckReport> {
  const report = await check(server, parts);
  assert.deepEqual(errorsOf(report), [], JSON.stringify(report.findings, undefined, 1));
  assert.equal(found(report, 'replication.works').severity, 'ok');
  return report;
}

/** pg_hba.conf as people have it: everything but replication. */
export const sqlOnly = (method = 'scram-sha-256'): string => `host all all 127.0.0.1/32 ${method}\n`;

/** Opens an SQL connection; tells whether it was encrypted. */
export async function openAndClose(server: TestServer, parts: ConnectionParts = {}): Promise<boolean> {
  const connection = await openSqlConnection(profileOf(server, parts), operation());
  await connection.close();
  return connection.tls;
}
