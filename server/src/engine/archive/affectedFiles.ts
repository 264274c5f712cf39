import { displayPath } from '../../formats/filePath.ts';
import { readIndexFiles } from '../../repository/backupIndexReader.ts';
import type { IndexFrame } from '../../repository/frameTable.ts';
import type { ObjectStore } from '../../repository/store/objectStore.ts';

const mostNamed = 3;

/** Names the files that have content in a frame of an archive: what its damage costs. */
export async function describeAffectedFiles(
  store: ObjectStore,
  indexKey: string,
  archive: number,
  [, , tarOffset, tarLength]: IndexFrame,
): Promise<string> {
  const named: string[] = [];
  let count = 0;
  for await (const file of readIndexFiles(store, indexKey)) {
    const touched =
      file.archive === archive && file.offset < tarOffset + tarLength && file.offset + file.size > tarOffset;
    if (!touched) continue;
    count += 1;
    if (named.length < mostNamed) named.push(displayPath(file.path));
  }
  if (count === 0) return 'It holds no file content there.';
  const more = count > named.length ? ` and ${count - named.length} more` : '';
  return `Files with content there: ${named.join(', ')}${more}.`;
}
