import { objectStoreContract } from '../../contract/objectStore.ts';
import { FileSystemStore } from '../../../server/src/repository/store/fileSystemStore.ts';
import { temporaryDirectory } from '../../support/temporaryDirectory.ts';

for (const hardLinks of [true, false]) {
  objectStoreContract(hardLinks ? 'file system' : 'file system without hard links', async () => {
    const directory = await temporaryDirectory('store');
    return {
      store: await FileSystemStore.open(directory.path, { hardLinks }),
      [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
    };
  });
}
