import { createHash } from 'node:crypto';

/** The parts of a manifest's text, for tests that change one. */
export interface ManifestText {
  readonly version?: string;
  readonly systemIdentifier?: string | undefined;
  readonly files?: readonly string[];
  readonly walRanges?: readonly string[];
}

export const fileLine =
  '{ "Path": "backup_label", "Size": 211, "Last-Modified": "2026-11-22 14:01:02 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "bfb27803" }';
export const walRangeLine = '{ "Timeline": 1, "Start-LSN": "0/A000028", "End-LSN": "0/A000120" }';

/** Adds the last line, with the checksum that fits `body`. */
export function sealed(body: string): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  const checksum = createHash('sha256').update(bytes).digest('hex');
  return Buffer.concat([bytes, Buffer.from(`"Manifest-Checksum": "${checksum}"}\n`)]);
}

/** A manifest laid out as servers do, with a checksum that fits. */
export function manifestText(parts: ManifestText = {}): Buffer {
  const { version = '2', files = [fileLine], walRanges = [walRangeLine] } = parts;
  const systemIdentifier = 'systemIdentifier' in parts ? parts.systemIdentifier : '7710995556834883732';
  return sealed(
    [
      `{ "PostgreSQL-Backup-Manifest-Version": ${version},\n`,
      systemIdentifier === undefined ? '' : `"System-Identifier": ${systemIdentifier},\n`,
      `"Files": [\n${files.join(',\n')}${files.length === 0 ? '' : '\n'}],\n`,
      `"WAL-Ranges": [\n${walRanges.join(',\n')}${walRanges.length === 0 ? '' : '\n'}],\n`,
    ].join(''),
  );
}
