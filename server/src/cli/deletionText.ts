import type { DeletionPlan } from '../engine/delete/planDeletion.ts';
import { agoOf, factLines, sizeText, stateInWords } from './backupText.ts';
import { formatBytes, formatMoment, printable } from '../api/format.ts';

/** What is lost, for a person, before anything is. */
export function previewLines(plan: DeletionPlan, now: Date): string[] {
  const { instance, backup, freedBytes, isNewestRestorable, newestLeft } = plan;
  const { record, state, stateAt } = backup;
  return [
    printable(`This deletes the backup ${record.id} of ${instance}:`),
    ...factLines([
      ['moment', `${formatMoment(new Date(record.finishedAt))}, ${agoOf(record.finishedAt, now)}`],
      ['size', `${sizeText(record)}; ${formatBytes(freedBytes)} become free`],
      ['state', stateInWords(state, stateAt, now)],
      ...(record.label === '' ? [] : [['label', record.label] as const]),
      ['left', newestLeft === undefined ? 'nothing this instance could be restored from' : leftText(newestLeft, now)],
    ]),
    ...(isNewestRestorable ? ['  ! It is the newest backup that can be restored.'] : []),
  ];
}

/** A deletion as `--json` prints it. */
export function deletionJson({ instance, backup, freedBytes, newestLeft }: DeletionPlan): Record<string, unknown> {
  const { record, ...state } = backup;
  return { instance, id: record.id, ...state, freedBytes, newestLeft: newestLeft?.record.id ?? null };
}

function leftText({ record, state, stateAt }: NonNullable<DeletionPlan['newestLeft']>, now: Date): string {
  return `${record.id}, ${agoOf(record.finishedAt, now)}, ${stateInWords(state, stateAt, now)}`;
}
