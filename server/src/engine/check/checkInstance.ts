import type { CheckReport, Finding } from '../../api/check.ts';
import { errorTable } from '../../api/errorTable.ts';
import { PointbackError, type ErrorCode } from '../../api/errors.ts';
import { endpointOf, type ConnectionProfile } from '../../postgres/connectionProfile.ts';
import type { OperationContext } from '../context.ts';
import { gatherEvidence, type Evidence } from './evidence.ts';
import { findingsOf } from './findings.ts';

/**
 * Finds out whether a server can be backed up physically, and what to do if not: connects over SQL and, twice at a time,
 * for replication, exactly as a backup does. Changes nothing on the server.
 *
 * Whatever is wrong with the server or the way to it is a finding. Throws the signal's reason only.
 */
export async function checkInstance(
  { profile }: { readonly profile: ConnectionProfile },
  context: OperationContext,
): Promise<CheckReport> {
  context.progress({ phase: 'connecting', detail: endpointOf(profile) });
  return reportOf(await gatherEvidence(profile, context));
}

/** The report of what was seen. Pure. */
export function reportOf(evidence: Evidence): CheckReport {
  const { profile, sql, replication } = evidence;
  const endpoint = endpointOf(profile);
  const findings = findingsOf(evidence);
  const serverVersion = sql.facts?.version ?? replication?.version;
  const standby = sql.facts?.inRecovery ?? replication?.standby;
  return {
    instance: profile.instance ?? endpoint,
    endpoint,
    ...(serverVersion === undefined ? {} : { serverVersion }),
    ...(standby === undefined ? {} : { role: standby ? 'standby' : 'primary' }),
    ok: !findings.some(({ severity }) => severity === 'error'),
    findings,
  };
}

/** The error another operation reports for what a check found, in the same words; undefined when all is well. */
export function errorOfReport({ findings }: CheckReport): PointbackError | undefined {
  const finding = findings.find(({ severity }) => severity === 'error');
  if (finding === undefined) return undefined;
  if (!isErrorCode(finding.code)) {
    return new PointbackError('server.refused', { message: finding.text, remedy: remedyOf(finding) });
  }
  return new PointbackError(finding.code, { message: finding.text, remedy: remedyOf(finding) });
}

/**
 * Why a connection failed, told as the check tells it: with the exact line, statement or setting. Falls back on the
 * error itself when the check finds nothing (it was over by then), or when the error is none of a connection.
 */
export async function explainConnectFailure(
  error: unknown,
  profile: ConnectionProfile,
  context: OperationContext,
): Promise<unknown> {
  if (!(error instanceof PointbackError) || !explainable.test(error.code)) return error;
  return errorOfReport(await checkInstance({ profile }, context)) ?? error;
}

const explainable = /^(?:authentication|replication|pooler|tls|server)\./;

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

/** The first fix as one instruction. */
function remedyOf({ fix = [] }: Finding): string {
  return fix
    .filter(({ kind }, index) => index === 0 || (kind === 'setting' && fix[0]?.kind === 'setting'))
    .map(({ kind, text, where, then }) => {
      const what = { 'pg_hba-line': 'Add this line', sql: 'Run', setting: 'Set', command: 'Use', none: '' }[kind];
      const start = kind === 'none' ? text : `${what}: ${text}`;
      return [start, where === undefined ? undefined : `Where: ${where}`, then]
        .filter((part) => part !== undefined)
        .join('\n');
    })
    .join('\n');
}
