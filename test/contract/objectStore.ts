import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { isPointbackError } from '../../server/src/api/errors.ts';
import type { ObjectBody, ObjectStore } from '../../server/src/repository/store/objectStore.ts';
import { randomBytesOf } from '../support/randomBytes.ts';

/** A fresh store for one test. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: ObjectStore;
}

const coded =
  (code: Parameters<typeof isPointbackError>[1]) =>
  (error: unknown): boolean =>
    isPointbackError(error, code);

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

async function* pieces(
  ...values: (Uint8Array | readonly Uint8Array[])[]
): AsyncGenerator<Uint8Array | readonly Uint8Array[]> {
  for (const value of values) {
    await Promise.resolve();
    yield value;
  }
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.sort();
}

async function allOf<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await allOf(source));
}

/** A body that yields `first` and then keeps the store waiting. */
function stalled(first: Uint8Array): { body: ObjectBody; waiting: Promise<void>; ended: Promise<void> } {
  const waiting = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<undefined>();
  let calls = 0;
  const body: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        calls += 1;
        if (calls === 1) return Promise.resolve({ done: false, value: first });
        waiting.resolve(undefined);
        return new Promise(() => undefined);
      },
      return: () => {
        ended.resolve(undefined);
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
  return { body, waiting: waiting.promise, ended: ended.promise };
}

/** The executable contract of ObjectStore: every store passes it, with a factory that makes an empty one. */
export function objectStoreContract(name: string, create: () => Promise<StoreUnderTest>): void {
  const withStore = (what: string, run: (store: ObjectStore) => Promise<void>): void => {
    test(what, async () => {
      await using under = await create();
      await run(under.store);
    });
  };

  describe(`object store contract: ${name}`, () => {
    for (const size of [0, 1, 4095, 65_536, 1024 * 1024 - 1, 1024 * 1024, 3 * 1024 * 1024 + 17]) {
      withStore(`${size} bytes come back as they were put`, async (store) => {
        const bytes = randomBytesOf(size, size);
        await store.put('a/b/whole', bytes);
        await store.put('a/b/pieces', pieces(bytes.subarray(0, size >> 1), [bytes.subarray(size >> 1)]));
        for (const key of ['a/b/whole', 'a/b/pieces']) {
          assert.ok((await store.read(key)).equals(bytes), key);
          assert.ok((await collect(store.get(key))).equals(bytes), key);
          assert.deepEqual(await store.stat(key), { key, size });
        }
      });
    }

    withStore('a body of lists, empty lists and empty buffers is written in order', async (store) => {
      const many = Array.from({ length: 3000 }, (_, index) => text(`${index},`));
      await store.put('k', pieces([], text('start,'), Buffer.alloc(0), many, [Buffer.alloc(0)], text('end')));
      assert.equal((await store.read('k')).toString(), `start,${many.join('')}end`);
    });

    withStore('a piece is used up before the next is asked for', async (store) => {
      const shared = Buffer.alloc(100_000);
      const reusing = async function* (): AsyncGenerator<Uint8Array> {
        for (let round = 0; round < 20; round += 1) {
          await Promise.resolve();
          yield shared.fill(round);
        }
      };
      await store.put('k', reusing());
      const stored = await store.read('k');
      for (let round = 0; round < 20; round += 1) {
        assert.ok(stored.subarray(round * shared.length, (round + 1) * shared.length).every((byte) => byte === round));
      }
    });

    withStore('put replaces an object whole', async (store) => {
      await store.put('k', text('a long first content'));
      await store.put('k', text('short'));
      assert.equal((await store.read('k')).toString(), 'short');
      assert.deepEqual(await keysOf(store, ''), ['k']);
    });

    withStore('putIfAbsent changes nothing when the key exists', async (store) => {
      assert.equal(await store.putIfAbsent('d/k', text('first')), true);
      assert.equal(await store.putIfAbsent('d/k', text('second')), false);
      assert.equal((await store.read('d/k')).toString(), 'first');
      await store.delete('d/k');
      assert.equal(await store.putIfAbsent('d/k', text('third')), true);
    });

    withStore('of several that put if absent at once one wins, and its bytes are there', async (store) => {
      for (let round = 0; round < 5; round += 1) {
        const key = `race/${round}`;
        const results = await Promise.all(
          Array.from({ length: 16 }, (_, index) => store.putIfAbsent(key, text(`writer ${index}`))),
        );
        const winner = results.indexOf(true);
        assert.equal(results.filter(Boolean).length, 1);
        assert.equal((await store.read(key)).toString(), `writer ${winner}`);
      }
      assert.equal((await keysOf(store, 'race')).length, 5);
    });

    withStore('of several that put at once one whole content remains', async (store) => {
      const contents = Array.from({ length: 8 }, (_, index) => Buffer.alloc(200_000 + index, index));
      await Promise.all(contents.map((content) => store.put('k', pieces(content.subarray(0, 9), content.subarray(9)))));
      const stored = await store.read('k');
      assert.ok(contents.some((content) => content.equals(stored)));
      assert.deepEqual(await keysOf(store, ''), ['k']);
    });

    withStore('ranges come back exactly', async (store) => {
      const bytes = randomBytesOf(2_500_000, 7);
      await store.put('k', bytes);
      for (const [offset, length] of [
        [0, 0],
        [0, 1],
        [999, 2],
        [1_048_575, 2],
        [5, 2_400_000],
        [2_499_999, 1],
        [2_500_000, 0],
      ] as const) {
        // prettier-ignore
        const expected = bytes.subarray(offset, offset + length);
        assert.ok((await store.read('k', { offset, length })).equals(expected), `read ${offset}+${length}`);
        assert.ok((await collect(store.get('k', { offset, length }))).equals(expected), `get ${offset}+${length}`);
      }
    });

    withStore('a range past the end is an error of its own, before any byte', async (store) => {
      await store.put('k', text('0123456789'));
      for (const range of [
        { offset: 0, length: 11 },
        { offset: 10, length: 1 },
        { offset: 11, length: 0 },
      ]) {
        await assert.rejects(store.read('k', range), coded('store.out-of-range'));
        await assert.rejects(store.get('k', range)[Symbol.asyncIterator]().next(), coded('store.out-of-range'));
      }
      await assert.rejects(store.read('k', { offset: -1, length: 1 }), RangeError);
      await assert.rejects(store.read('k', { offset: 0, length: 0.5 }), RangeError);
    });

    withStore('bytes handed out stay as they are', async (store) => {
      const bytes = randomBytesOf(4_000_000, 3);
      await store.put('k', bytes);
      const kept: Uint8Array[] = [];
      for await (const piece of store.get('k')) kept.push(piece);
      await store.put('k', Buffer.alloc(4_000_000));
      await collect(store.get('k'));
      assert.ok(Buffer.concat(kept).equals(bytes));
    });

    withStore('what is not there is missing, also a prefix of keys that are', async (store) => {
      await store.put('d/e/k', text('x'));
      for (const key of ['k', 'd', 'd/e', 'd/e/k2', 'd/e/k/below']) {
        assert.equal(await store.stat(key), undefined, key);
        await assert.rejects(store.read(key), coded('store.missing'), key);
        await assert.rejects(store.get(key)[Symbol.asyncIterator]().next(), coded('store.missing'), key);
        await store.delete(key);
      }
      assert.deepEqual(await keysOf(store, ''), ['d/e/k']);
    });

    withStore('list gives what lies below a prefix, and its sizes', async (store) => {
      for (const key of ['a', 'b/1', 'b/2/x', 'b/2/y', 'bb/1', 'b.json', 'c%2F/z']) await store.put(key, text(key));
      assert.deepEqual(await keysOf(store, ''), ['a', 'b.json', 'b/1', 'b/2/x', 'b/2/y', 'bb/1', 'c%2F/z']);
      assert.deepEqual(await keysOf(store, 'b'), ['b/1', 'b/2/x', 'b/2/y']);
      assert.deepEqual(await keysOf(store, 'b/2'), ['b/2/x', 'b/2/y']);
      for (const prefix of ['a', 'b/2/x', 'nothing', 'b/nothing/deeper'])
        assert.deepEqual(await keysOf(store, prefix), []);
      for await (const { key, size } of store.list('')) assert.equal(size, key.length);
    });

    withStore('objects may be deleted while they are listed', async (store) => {
      const keys = Array.from({ length: 200 }, (_, index) => `d/${index % 7}/${index}`);
      for (const key of keys) await store.put(key, text('x'));
      const seen: string[] = [];
      for await (const { key } of store.list('d')) {
        seen.push(key);
        await store.delete(key);
      }
      assert.deepEqual(seen.sort(), keys.sort());
      assert.deepEqual(await keysOf(store, ''), []);
    });

    withStore('delete removes one object; a deleted prefix can become an object', async (store) => {
      await store.put('d/one', text('1'));
      await store.put('d/two', text('2'));
      await store.delete('d/one');
      await store.delete('d/one');
      assert.deepEqual(await keysOf(store, ''), ['d/two']);
      await store.delete('d/two');
      await store.put('d', text('an object now'));
      assert.equal((await store.read('d')).toString(), 'an object now');
    });

    withStore('puts and deletes side by side under one prefix do not hurt each other', async (store) => {
      await Promise.all(
        Array.from({ length: 8 }, async (_, worker) => {
          for (let round = 0; round < 12; round += 1) {
            await store.put(`p/q/${worker}`, text(`${worker} ${round}`));
            assert.equal((await store.read(`p/q/${worker}`)).toString(), `${worker} ${round}`);
            await store.delete(`p/q/${worker}`);
          }
        }),
      );
      assert.deepEqual(await keysOf(store, ''), []);
    });

    withStore('an unfinished put shows nothing', async (store) => {
      const { body, waiting } = stalled(text('unfinished'));
      const aborter = new AbortController();
      const put = store.put('d/k', body, { signal: aborter.signal });
      await waiting;
      assert.equal(await store.stat('d/k'), undefined);
      assert.deepEqual(await keysOf(store, ''), []);
      aborter.abort();
      await assert.rejects(put, { name: 'AbortError' });
    });

    withStore('an aborted put leaves the earlier object, ends its body and keeps no listener', async (store) => {
      await store.put('d/k', text('earlier'));
      const { body, waiting, ended } = stalled(text('later'));
      const aborter = new AbortController();
      const put = store.put('d/k', body, { signal: aborter.signal });
      await waiting;
      const reason = new Error('enough');
      aborter.abort(reason);
      await assert.rejects(put, (error) => error === reason);
      await ended;
      assert.equal((await store.read('d/k')).toString(), 'earlier');
      assert.deepEqual(await keysOf(store, ''), ['d/k']);
      assert.equal(getEventListeners(aborter.signal, 'abort').length, 0);
    });

    withStore('a put keeps no listener when it is done', async (store) => {
      const { signal } = new AbortController();
      await store.put('k', pieces(text('a'), text('b')), { signal });
      await store.putIfAbsent('l', text('a'), { signal });
      await collect(store.get('k', undefined, { signal }));
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    });

    withStore('an error of the body passes through as it is, and the earlier object stays', async (store) => {
      await store.put('k', text('earlier'));
      const failure = Object.assign(new Error('connection lost'), { code: 'ENOSPC', syscall: 'read' });
      const failing = async function* (): AsyncGenerator<Uint8Array> {
        yield text('begun');
        await Promise.reject(failure);
      };
      await assert.rejects(store.put('k', failing()), (error) => error === failure);
      await assert.rejects(store.put('new/k', failing()), (error) => error === failure);
      assert.equal((await store.read('k')).toString(), 'earlier');
      assert.deepEqual(await keysOf(store, ''), ['k']);
    });

    withStore('a signal that has fired stops every call before it changes anything', async (store) => {
      await store.put('d/k', text('kept'));
      const reason = new Error('stopped');
      const options = { signal: AbortSignal.abort(reason) };
      const calls: (() => Promise<unknown>)[] = [
        () => store.put('d/k', text('new'), options),
        () => store.put('d/l', pieces(text('new')), options),
        () => store.putIfAbsent('d/m', text('new'), options),
        () => collect(store.get('d/k', undefined, options)),
        () => store.read('d/k', undefined, options),
        () => store.stat('d/k', options),
        () => allOf(store.list('', options)),
        () => store.delete('d/k', options),
      ];
      for (const call of calls) await assert.rejects(call, (error) => error === reason, String(call));
      assert.deepEqual(await keysOf(store, ''), ['d/k']);
      assert.equal((await store.read('d/k')).toString(), 'kept');
    });

    withStore('a reader may stop early', async (store) => {
      await store.put('k', randomBytesOf(3_000_000, 1));
      for await (const piece of store.get('k')) {
        assert.ok(piece.length > 0);
        break;
      }
      await store.delete('k');
      assert.equal(await store.stat('k'), undefined);
    });

    withStore('sweep leaves objects alone', async (store) => {
      await store.put('d/k', text('kept'));
      await store.put('e', text('kept too'));
      await store.sweep('d');
      await store.sweep('');
      await store.sweep('nothing/there');
      assert.deepEqual(await keysOf(store, ''), ['d/k', 'e']);
    });

    withStore('what is no key is refused', async (store) => {
      for (const key of [
        '',
        '/',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        'a/../b',
        'a/.',
        'a b',
        'ä',
        'a\\b',
        'a~b',
        'a\0',
        'a:b',
      ]) {
        await assert.rejects(store.put(key, text('x')), RangeError, key);
        await assert.rejects(store.putIfAbsent(key, text('x')), RangeError, key);
        await assert.rejects(store.read(key), RangeError, key);
        await assert.rejects(collect(store.get(key)), RangeError, key);
        await assert.rejects(store.stat(key), RangeError, key);
        await assert.rejects(store.delete(key), RangeError, key);
        if (key !== '') await assert.rejects(keysOf(store, key), RangeError, key);
      }
      assert.deepEqual(await keysOf(store, ''), []);
    });

    withStore('free space is a number of bytes or unknown', async (store) => {
      const free = await store.freeBytes();
      assert.ok(free === undefined || (Number.isFinite(free) && free >= 0));
    });
  });
}
