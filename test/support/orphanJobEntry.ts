import { Secret } from '../../server/src/postgres/secret.ts';
import type { JobSpecification } from '../../server/src/jobs/jobSpecification.ts';
import { startJob } from '../../server/src/jobs/startJob.ts';

/** What the process below is told. */
export interface OrphanOrder {
  readonly specification: JobSpecification;
  readonly password: string;
}

/*
 * A process that starts a job and is gone as soon as the job is at work: an editor window that is closed. It tells the
 * job's process id.
 */
process.once('message', ({ specification, password }: OrphanOrder) => {
  const job = startJob(specification, {
    progress: ({ phase, doneBytes = 0 }) => {
      if (phase !== 'receiving' || doneBytes === 0) return;
      process.send?.(job.processId, () => {
        process.exit(0);
      });
    },
    log: () => undefined,
    secrets: { password: () => Promise.resolve(new Secret(password)) },
  });
  job.result.catch(() => undefined);
});
