import { toPointbackError } from '../../server/src/api/errors.ts';
import { FileSystemStore } from '../../server/src/repository/store/fileSystemStore.ts';

/** `node putOnce.ts DIRECTORY` puts 3 MB in one list of buffers and prints the code of the error, or `stored`. */
const [directory = ''] = process.argv.slice(2);
// Beyond the limit on the size of files a write then fails instead of ending the process.
process.on('SIGXFSZ', () => undefined);

async function* body(): AsyncGenerator<readonly Uint8Array[]> {
  yield await Promise.resolve([1, 2, 3].map((value) => Buffer.alloc(1_000_000, value)));
}

try {
  await (await FileSystemStore.open(directory)).put('a/k', body());
  process.stdout.write('stored');
} catch (error) {
  process.stdout.write(toPointbackError(error).code);
}
