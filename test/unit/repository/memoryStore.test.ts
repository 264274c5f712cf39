import { objectStoreContract } from '../../contract/objectStore.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

objectStoreContract('memory', () =>
  Promise.resolve({ store: new MemoryStore(), [Symbol.asyncDispose]: () => Promise.resolve() }),
);
