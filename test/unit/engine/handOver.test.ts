import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HandOver } from '../../../server/src/engine/archive/handOver.ts';

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe('HandOver', () => {
  it('keeps the order of promises that settle in another', async () => {
    const handOver = new HandOver<number>(10);
    let resolveFirst: (value: number) => void = () => undefined;
    void handOver.push(
      new Promise((resolve) => {
        resolveFirst = resolve;
      }),
    );
    void handOver.push(Promise.resolve(2));
    void handOver.push(3);
    handOver.end();
    const collected = collect(handOver);
    resolveFirst(1);
    assert.deepEqual(await collected, [1, 2, 3]);
  });

  it('asks the producer to wait when full, until the consumer took one', async () => {
    const handOver = new HandOver<number>(2);
    assert.equal(handOver.push(1), undefined);
    const wait = handOver.push(2);
    assert.ok(wait instanceof Promise);
    let waited = false;
    void wait.then(() => {
      waited = true;
    });
    await new Promise(setImmediate);
    assert.equal(waited, false);
    const consumer = handOver[Symbol.asyncIterator]();
    assert.deepEqual(await consumer.next(), { value: 1, done: false });
    await wait;
  });

  it('fails the consumer with the rejection of a promise, in its turn', async () => {
    const handOver = new HandOver<number>(10);
    void handOver.push(1);
    void handOver.push(Promise.reject(new Error('compression failed')));
    const consumer = handOver[Symbol.asyncIterator]();
    assert.deepEqual(await consumer.next(), { value: 1, done: false });
    await assert.rejects(consumer.next(), /compression failed/);
  });

  it('fails a waiting consumer at once', async () => {
    const handOver = new HandOver<number>(2);
    const collected = collect(handOver);
    handOver.fail(new Error('cancelled'));
    await assert.rejects(collected, /cancelled/);
  });

  it('releases a waiting producer when the consumer gives up', async () => {
    const handOver = new HandOver<number>(1);
    const wait = handOver.push(1);
    for await (const item of handOver) {
      assert.equal(item, 1);
      break;
    }
    await wait;
    assert.equal(handOver.push(2), undefined);
  });
});
