import assert from 'node:assert/strict';
import { AssertionError } from 'node:assert';
import { describe, test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { failAfterBytes } from '../../faults/failAfterBytes.ts';
import { failOnCall } from '../../faults/failOnCall.ts';
import { flipByte } from '../../faults/flipByte.ts';
import { policyStore } from '../../faults/policyStore.ts';
import { slowStore } from '../../faults/slowStore.ts';
import { truncateObject } from '../../faults/truncateObject.ts';
import { fakeContent, fakeKeys, fakeRecord, repositoryIn, storeFakeBackup } from '../../support/fakeBackup.ts';
import { MemoryStore } from '../../support/memoryStore.ts';
import type { ObjectStore } from '../../../server/src/repository/store/objectStore.ts';
import { objectStoreContract } from '../../contract/objectStore.ts';

const text = (value: string): Buffer => Buffer.from(value);

async function streamed(store: ObjectStore, key: string, range?: { offset: number; length: number }): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get(key, range)) pieces.push(piece);
  return Buffer.concat(pieces);
}

// A fault that is not due must not be one: each passes the whole contract.
const harmless: [string, (store: ObjectStore) => ObjectStore][] = [
  ['flipByte elsewhere', (store) => flipByte(store, 'elsewhere', 0)],
  ['truncateObject elsewhere', (store) => truncateObject(store, 'elsewhere', 0)],
  ['failAfterBytes later', (store) => failAfterBytes(store, Infinity)],
  ['failOnCall never', (store) => failOnCall(store, Infinity, () => new Error('never'))],
  ['slowStore', (store) => slowStore(store, () => Promise.resolve())],
];
for (const [name, wrap] of harmless) {
  objectStoreContract(`memory, ${name}`, () =>
    Promise.resolve({ store: wrap(new MemoryStore()), [Symbol.asyncDispose]: () => Promise.resolve() }),
  );
}

describe('faults', () => {
  test('flipByte flips that byte in every way of reading, and no other', async () => {
    const content = text('x'.repeat(2500));
    for (const [offset, position] of [
      [0, 0],
      [1500, 1500],
      [2499, 2499],
      [-1, 2499],
    ] as const) {
      // prettier-ignore
      const store = flipByte(new MemoryStore([['k', content], ['l', content]]), 'k', offset);
      const expected = Buffer.from(content);
      expected[position] = ~(expected[position] ?? 0);
      assert.deepEqual(await store.read('k'), expected);
      assert.deepEqual(await streamed(store, 'k'), expected);
      const range = { offset: Math.max(0, position - 3), length: Math.min(4, position + 1) };
      assert.deepEqual(await store.read('k', range), expected.subarray(range.offset, range.offset + range.length));
      assert.deepEqual(await streamed(store, 'k', range), expected.subarray(range.offset, range.offset + range.length));
      assert.deepEqual(await store.read('l'), content);
      assert.deepEqual(await store.read('k'), expected, 'the object itself is not changed twice');
    }
  });

  test('truncateObject makes the object shorter in every call', async () => {
    const store = truncateObject(new MemoryStore([['k', text('0123456789')]]), 'k', 4);
    assert.equal((await store.read('k')).toString(), '0123');
    assert.equal((await streamed(store, 'k')).toString(), '0123');
    assert.equal((await store.stat('k'))?.size, 4);
    for await (const { size } of store.list('')) assert.equal(size, 4);
    await assert.rejects(store.read('k', { offset: 0, length: 5 }), (error) =>
      isPointbackError(error, 'store.out-of-range'),
    );
    assert.equal((await store.read('k', { offset: 1, length: 3 })).toString(), '123');
  });

  test('failAfterBytes fails when the bytes are used up, and stores nothing of the object', async () => {
    const inner = new MemoryStore();
    const store = failAfterBytes(inner, 10);
    await store.put('a', text('1234567'));
    await assert.rejects(store.put('b', text('12345')), (error) => isPointbackError(error, 'store.no-space'));
    await assert.rejects(store.putIfAbsent('c', text('12345')), (error) => isPointbackError(error, 'store.no-space'));
    assert.deepEqual([...inner.objects.keys()], ['a']);
  });

  test('failOnCall fails from the nth call on, or just once', async () => {
    for (const once of [false, true]) {
      const store = failOnCall(new MemoryStore(), 2, () => new Error('gone'), { calls: ['put', 'delete'], once });
      await store.put('a', text('x'));
      await store.read('a');
      await assert.rejects(store.delete('a'), /gone/);
      if (once) await store.delete('a');
      else await assert.rejects(store.delete('a'), /gone/);
      assert.equal(store.calls, 3);
    }
  });

  test('the policy store lets a proper backup through', async () => {
    const store = policyStore(new MemoryStore());
    await storeFakeBackup(repositoryIn(store), 'shop', fakeRecord(1));
    await store.put('shop/locks/backup.json', text('1'));
    await store.put('shop/locks/backup.json', text('2'));
    const { id } = fakeRecord(1);
    await store.put(`shop/backups/${id}/verify/x.json`, text('{}'));
    await store.delete(`shop/backups/${id}/backup.json`);
    await store.delete(`shop/backups/${id}/index.json`);
  });

  test('the policy store stops what breaks the rules', async () => {
    const record = fakeRecord(1);
    const directory = `shop/backups/${record.id}`;
    const commit = `${directory}/backup.json`;
    const files = fakeKeys('shop', record);
    const complete = async (): Promise<ObjectStore> => {
      const store = policyStore(new MemoryStore());
      await storeFakeBackup(repositoryIn(store), 'shop', record);
      return store;
    };
    const broken: [string, () => Promise<unknown>][] = [
      ['is overwritten', async () => (await complete()).put(commit, text('x'))],
      ['is overwritten', async () => (await complete()).put(`${directory}/index.json`, text('x'))],
      ['is written after the commit record', async () => (await complete()).put(`${directory}/data/more`, text('x'))],
      ['is deleted while its backup exists', async () => (await complete()).delete(`${directory}/index.json`)],
    ];
    for (const missing of files.slice(0, 3)) {
      broken.push([
        'is written before',
        async () => {
          const store = policyStore(new MemoryStore());
          for (const key of files) if (key !== missing) await store.put(key, fakeContent(record, key));
          await store.putIfAbsent(commit, text('x'));
        },
      ]);
    }
    for (const [message, run] of broken) {
      await assert.rejects(run, (error) => error instanceof AssertionError && error.message.includes(message), message);
    }
  });
});
