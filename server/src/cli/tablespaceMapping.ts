import { PointbackError } from '../api/errors.ts';

/**
 * Old to new locations from `--tablespace OLD=NEW`. An equals sign that belongs to a path is written `\=`, as with
 * `pg_basebackup --tablespace-mapping`. `absolute` completes new locations. Throws `usage.invalid`.
 */
export function parseTablespaceMapping(
  texts: readonly string[],
  absolute: (path: string) => string,
): ReadonlyMap<string, string> {
  const mapping = new Map<string, string>();
  for (const text of texts) {
    const [from = '', to = '', ...rest] = text.split(/(?<!\\)=/).map((part) => part.replaceAll('\\=', '='));
    if (from === '' || to === '' || rest.length > 0) {
      throw new PointbackError('usage.invalid', {
        message: `"${text}" is no value for --tablespace.`,
        remedy: 'Write --tablespace OLD=NEW, with \\= for an equals sign inside a path.',
      });
    }
    if (mapping.has(from)) {
      throw new PointbackError('usage.invalid', {
        message: `The tablespace at ${from} was given two new places.`,
        remedy: 'Give --tablespace once for each tablespace.',
      });
    }
    mapping.set(from, absolute(to));
  }
  return mapping;
}
