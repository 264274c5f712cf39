import { DatabaseError } from 'pg';

/** A field of a DataRow in text format; null for SQL NULL. */
export type RowField = string | null;

/** Decodes a DataRow ('D') body (PostgreSQL documentation, "Message Formats"). */
export function parseDataRow(body: Buffer): RowField[] {
  const count = body.readInt16BE(0);
  const fields: RowField[] = [];
  let offset = 2;
  for (let index = 0; index < count; index += 1) {
    const length = body.readInt32BE(offset);
    offset += 4;
    if (length < 0) {
      fields.push(null);
    } else {
      fields.push(body.toString('utf8', offset, offset + length));
      offset += length;
    }
  }
  return fields;
}

/** Decodes a CommandComplete ('C') body: its command tag. */
export function parseCommandTag(body: Buffer): string {
  return body.toString('utf8', 0, body.indexOf(0));
}

const fieldNames: Readonly<Record<string, keyof DatabaseError>> = {
  S: 'severity',
  C: 'code',
  D: 'detail',
  H: 'hint',
  W: 'where',
  F: 'file',
  L: 'line',
  R: 'routine',
};

/**
 * Decodes an ErrorResponse ('E') or NoticeResponse ('N') body into the same class the driver uses, so that one
 * classification serves both (PostgreSQL documentation, "Error and Notice Message Fields").
 */
export function parseServerMessage(body: Buffer): DatabaseError {
  const fields: Partial<Record<string, string>> = {};
  let text = '';
  let offset = 0;
  while (offset < body.length && body[offset] !== 0) {
    const type = String.fromCharCode(body[offset] ?? 0);
    const end = body.indexOf(0, offset + 1);
    const value = body.toString('utf8', offset + 1, end);
    if (type === 'M') text = value;
    const name = fieldNames[type];
    // The non-localized severity ('V', 9.6+) comes after 'S' and is the one to trust.
    if (type === 'V') fields['severity'] = value;
    else if (name !== undefined) fields[name] = value;
    offset = end + 1;
  }
  return Object.assign(new DatabaseError(text, body.length, 'error'), fields);
}

/** Encodes a simple Query ('Q') message: the only kind a walsender takes. */
export function encodeQuery(text: string): Buffer {
  const length = Buffer.byteLength(text) + 1;
  const message = Buffer.alloc(5 + length);
  message.write('Q', 0);
  message.writeInt32BE(4 + length, 1);
  message.write(text, 5);
  return message;
}

/** The Terminate ('X') message. */
export function encodeTerminate(): Buffer {
  return Buffer.from([0x58, 0, 0, 0, 4]);
}
