import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { FrameReader, type FrameHandler } from '../../../server/src/postgres/frameReader.ts';

const frame = (type: string, body: Buffer): Buffer => {
  const header = Buffer.alloc(5);
  header.write(type, 0);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
};

const stream = Buffer.concat([
  frame('T', Buffer.from('row description')),
  frame('H', Buffer.from([0, 0, 0])),
  frame('d', Buffer.from('dfirst copy message')),
  frame('d', Buffer.alloc(0)),
  frame('N', Buffer.from('notice between two copy messages')),
  frame('d', Buffer.from('d')),
  frame('c', Buffer.alloc(0)),
  frame('Z', Buffer.from('I')),
]);

/** Records what the reader reports, copy messages put together again; keeps every piece to the end before reading it. */
class Recorder implements FrameHandler {
  readonly #events: (readonly [string, readonly Buffer[]])[] = [];
  #pieces: Buffer[] = [];
  readonly wait: () => Promise<void> | undefined;

  constructor(wait: () => Promise<void> | undefined = () => undefined) {
    this.wait = wait;
  }

  message(type: string, body: Buffer): Promise<void> | undefined {
    this.#events.push([type, [body]]);
    return this.wait();
  }

  copyData(piece: Buffer, first: boolean, last: boolean): Promise<void> | undefined {
    assert.equal(first, this.#pieces.length === 0);
    this.#pieces.push(piece);
    if (last) {
      this.#events.push(['d', this.#pieces]);
      this.#pieces = [];
    }
    return this.wait();
  }

  get transcript(): string[] {
    return this.#events.map(([type, pieces]) => `${type}:${Buffer.concat(pieces).toString('latin1')}`);
  }
}

const expected = [
  'T:row description',
  'H:\0\0\0',
  'd:dfirst copy message',
  'd:',
  'N:notice between two copy messages',
  'd:d',
  'c:',
  'Z:I',
];

describe('FrameReader', () => {
  it('finds the same messages wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const recorder = new Recorder();
      const reader = new FrameReader(recorder);
      void reader.push(Buffer.from(stream.subarray(0, cut)));
      void reader.push(Buffer.from(stream.subarray(cut)));
      assert.deepEqual(recorder.transcript, expected, `cut at ${cut}`);
    }
  });

  it('finds the same messages in single bytes', () => {
    const recorder = new Recorder();
    const reader = new FrameReader(recorder);
    for (const byte of stream) void reader.push(Buffer.from([byte]));
    assert.deepEqual(recorder.transcript, expected);
  });

  it('consumes nothing more while the handler waits', async () => {
    let release: () => void = () => undefined;
    const recorder = new Recorder(
      () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    );
    const done = new FrameReader(recorder).push(stream);
    for (let count = 1; count <= expected.length; count += 1) {
      assert.equal(recorder.transcript.length, count);
      release();
      await new Promise(setImmediate);
    }
    await done;
    assert.deepEqual(recorder.transcript, expected);
  });

  it('hands payload on without copying it', () => {
    const payload = Buffer.alloc(100_000, 7);
    const chunk = frame('d', payload);
    const pieces: Buffer[] = [];
    const reader = new FrameReader({
      message: () => undefined,
      copyData: (piece) => {
        pieces.push(piece);
        return undefined;
      },
    });
    void reader.push(chunk.subarray(0, 50_000));
    void reader.push(chunk.subarray(50_000));
    assert.deepEqual(
      pieces.map((piece) => [piece.buffer === chunk.buffer, piece.length]),
      [
        [true, 49_995],
        [true, 50_005],
      ],
    );
  });

  for (const [what, length] of [
    ['negative', 3],
    ['absurd', 0x7fffffff],
  ] as const) {
    it(`refuses a message of ${what} length`, () => {
      const header = Buffer.from([0x54, 0, 0, 0, 0]);
      header.writeInt32BE(length, 1);
      assert.throws(
        () => new FrameReader(new Recorder()).push(header),
        (error) => isPointbackError(error, 'protocol.broken'),
      );
    });
  }

  it('passes a failure of the handler on, at once and after a wait', async () => {
    const failing = (): never => {
      throw new Error('sink failed');
    };
    assert.throws(() => new FrameReader({ message: failing, copyData: failing }).push(stream), /sink failed/);
    let calls = 0;
    const later = new FrameReader({
      message: () => {
        calls += 1;
        return calls === 1 ? Promise.resolve() : failing();
      },
      copyData: failing,
    });
    await assert.rejects(async () => later.push(stream), /sink failed/);
  });
});
