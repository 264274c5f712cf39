import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeInstance } from '../../../server/src/repository/instances.ts';
import { backupRecordKey, verificationKey } from '../../../server/src/repository/layout.ts';
import { formatRecord } from '../../../server/src/repository/records.ts';
import { openRepository } from '../../../server/src/repository/repository.ts';
import type { Repository } from '../../../server/src/repository/repository.ts';
import { sampleBackup } from './samples.ts';

/** Ids of the sample instance's backups, oldest first; the newest is broken. */
export const sampleIds = [
  '20261120T110052.123Z-full',
  '20261121T110052.123Z-full',
  '20261122T110052.123Z-full',
] as const;

/** A directory to be someone's home and current directory, with a configuration and a repository that has one instance, `::1-5432`. */
export interface SampleHome extends AsyncDisposable {
  readonly path: string;
  readonly repository: Repository;
}

/** Makes a sample home; records only, no archives. */
export async function sampleHome(): Promise<SampleHome> {
  const path = await mkdtemp(join(tmpdir(), 'pointback-cli-'));
  const repository = await openRepository(join(path, 'repository'), { create: true });
  await writeInstance(repository, '::1-5432', {
    format: 1,
    name: '::1-5432',
    systemIdentifier: '7550000000000000001',
    major: 18,
    walSegmentSize: 16777216,
    createdAt: '2026-11-20T11:00:52.123Z',
  });
  for (const id of sampleIds) {
    await repository.store.put(backupRecordKey('::1-5432', id), formatRecord(sampleBackup({ id })));
  }
  const verification = {
    format: 1 as const,
    at: '2026-11-22T12:00:00.000Z',
    outcome: 'failed' as const,
    by: 'verify' as const,
    writtenBy: '0.1.0',
    durationMs: 1,
    files: 1,
    bytes: 1,
    problems: [{ code: 'file-changed', subject: 'base/1/1259', message: 'base/1/1259 differs.' }],
    problemCount: 1,
  };
  const key = verificationKey('::1-5432', sampleIds[2], new Date(verification.at));
  await repository.store.put(key, formatRecord(verification));
  await writeFile(join(path, 'pointback.json'), '{ "repository": "repository" } // the tests\' own');
  return {
    path,
    repository,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
