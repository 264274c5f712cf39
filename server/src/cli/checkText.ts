import type { CheckReport, Finding, FindingSeverity, Fix } from '../api/check.ts';
import { formatCount, printable } from '../api/format.ts';
import type { Style } from './terminal.ts';

/**
 * What a person reads of a check: findings with mark and word, each with its fixes. What is to be entered stands alone on
 * indented lines, exactly as it is to be entered, so that it can be copied.
 */
export function checkLines(report: CheckReport, style: Style): string[] {
  const { instance, endpoint, serverVersion, role, ok, findings } = report;
  const server = serverVersion === undefined ? [] : [`PostgreSQL ${serverVersion}`];
  const heading = [`${instance} (${endpoint})`, ...server, ...(role === undefined ? [] : [role])].join(' · ');
  return [
    style('strong', printable(heading)),
    ...findings.flatMap((finding) => findingLines(finding, style)),
    '',
    verdict(ok, findings, style),
  ];
}

function findingLines({ code, severity, text, fix = [] }: Finding, style: Style): string[] {
  const shownCode = severity === 'ok' ? '' : ` ${style('dim', `(${code})`)}`;
  return [
    `${marked(severity, style)} ${printable(text)}${shownCode}`,
    ...fix.flatMap((one, index) => fixLines(one, fix.length > 1 ? `${index + 1}. ` : '')),
  ];
}

function fixLines(fix: Fix, number: string): string[] {
  if (fix.kind === 'none') return [`  ${number}${printable(fix.text)}`];
  const where = fix.where === undefined ? '' : ` (${fix.where})`;
  return [
    `  ${number}${introduction[fix.kind]}${printable(where)}:`,
    '',
    ...fix.text.split('\n').map((line) => `      ${printable(line)}`),
    '',
    ...(fix.then === undefined ? [] : [`  Then: ${printable(fix.then)}`]),
  ];
}

const introduction: Readonly<Record<Exclude<Fix['kind'], 'none'>, string>> = {
  'pg_hba-line': 'Add this line to pg_hba.conf',
  sql: 'Run this SQL',
  setting: 'Set this in postgresql.conf',
  command: 'Run this command',
};

function marked(severity: FindingSeverity, style: Style): string {
  switch (severity) {
    case 'error':
      return style('red', '✗ error:');
    case 'warning':
      return style('yellow', '! warning:');
    case 'info':
      return '  note:';
    case 'ok':
      return style('green', '✓ ok:');
  }
}

function verdict(ok: boolean, findings: readonly Finding[], style: Style): string {
  const count = (severity: FindingSeverity): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const warnings = count('warning') === 0 ? '' : `, with ${formatCount(count('warning'), 'warning')}`;
  return ok
    ? `${style('green', '✓')} It can be backed up${warnings}.`
    : `${style('red', '✗')} It cannot be backed up yet: ${formatCount(count('error'), 'error')}${warnings}.`;
}
