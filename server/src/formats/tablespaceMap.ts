import { PointbackError } from '../api/errors.ts';
import { filePathFromBytes, type FilePath } from './filePath.ts';

/** Where a tablespace lies: the target of `pg_tblspc/<oid>`. */
export interface TablespaceLocation {
  readonly oid: number;
  /** Absolute path on the server, in its own spelling. */
  readonly location: FilePath;
}

/** How a path is spelled, and how the spelling is undone. */
interface Escaping {
  readonly line: RegExp;
  readonly escaped: RegExp;
  readonly special: RegExp;
}

/** From server 14 on: backslash, line feed and carriage return follow a backslash. */
const escaping: Escaping = {
  line: /(\d{1,10}) ((?:[^\\\n\r]|\\[\\\n\r])+)\n/y,
  escaped: /\\([\\\n\r])/g,
  special: /[\\\n\r]/g,
};

/** Server 13: line feed and carriage return do, a backslash stands for itself. */
const escaping13: Escaping = {
  line: /(\d{1,10}) ((?:[^\\\n\r]|\\[\n\r]?)+)\n/y,
  escaped: /\\([\n\r])/g,
  special: /[\n\r]/g,
};

/**
 * Parses the `tablespace_map` of a server of this major version: a line a tablespace, its object identifier and path
 * (`read_tablespace_map` of xlogrecovery.c, in 13 of xlog.c). An empty file is a map of nothing.
 * Throws `tablespace-map.damaged`.
 */
export function parseTablespaceMap(bytes: Uint8Array, major: number): TablespaceLocation[] {
  const text = filePathFromBytes(bytes);
  const { line: layout, escaped } = major < 14 ? escaping13 : escaping;
  const line = new RegExp(layout);
  const locations: TablespaceLocation[] = [];
  while (line.lastIndex < text.length) {
    const match = line.exec(text);
    const oid = Number(match?.[1] ?? 0);
    if (match === null || oid < 1 || oid > 0xffff_ffff) {
      throw new PointbackError('tablespace-map.damaged', {
        message: `The tablespace_map of the backup is damaged at line ${locations.length + 1}.`,
      });
    }
    locations.push({ oid, location: (match[2] ?? '').replace(escaped, '$1') as FilePath });
  }
  return locations;
}

/** Writes a `tablespace_map` for a server of this major version, as `do_pg_backup_start` of xlog.c does. */
export function formatTablespaceMap(locations: readonly TablespaceLocation[], major: number): Buffer {
  const { special } = major < 14 ? escaping13 : escaping;
  const lines = locations.map(({ oid, location }) => `${oid} ${location.replace(special, String.raw`\$&`)}\n`);
  return Buffer.from(lines.join(''), 'latin1');
}
