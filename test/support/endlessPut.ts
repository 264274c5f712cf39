import { FileSystemStore } from '../../server/src/repository/store/fileSystemStore.ts';

/** A process to be killed: `node endlessPut.ts DIRECTORY KEY` writes an object that never ends. */
async function* endless(): AsyncGenerator<Uint8Array> {
  for (let left = 500; left > 0; left -= 1) yield await Promise.resolve(Buffer.alloc(64 * 1024, 'x'));
  await new Promise<never>(() => {
    setInterval(() => undefined, 1000);
  });
}

const [directory = '', key = ''] = process.argv.slice(2);
await (await FileSystemStore.open(directory)).put(key, endless());
