/** Longest line accepted, bytes: entries of lists that may be long are lines of their own. */
const longestLine = 1024 * 1024;
const newline = 0x0a;

/** The bytes are no lines of UTF-8 text that end with a newline. */
export class LineError extends Error {
  override readonly name = 'LineError';
}

/**
 * The lines of a UTF-8 text, without their newline, those of one piece at a time. Throws LineError when the last line has no
 * newline, when a line is longer than 1 MiB, or when bytes are no UTF-8.
 */
export async function* readLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string[], void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array): string => {
    try {
      return decoder.decode(bytes);
    } catch (error) {
      throw new LineError('it is not UTF-8', { cause: error });
    }
  };
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of source) {
    const lines: string[] = [];
    let start = 0;
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, start)) {
      const rest = piece.subarray(start, end);
      start = end + 1;
      lines.push(decode(begun.length === 0 ? rest : Buffer.concat([...begun, rest])));
      begun = [];
      begunBytes = 0;
    }
    if (lines.length > 0) yield lines;
    if (start === piece.length) continue;
    begun.push(piece.subarray(start));
    begunBytes += piece.length - start;
    if (begunBytes > longestLine) throw new LineError('it has a line too long to be its own');
  }
  if (begun.length > 0) throw new LineError('its last line is cut short');
}
