import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { pointback, startPointback } from './pointback.ts';
import { sampleHome, sampleIds } from './sampleHome.ts';
import type { SampleHome } from './sampleHome.ts';

let home: SampleHome;

before(async () => {
  home = await sampleHome();
});

after(async () => {
  await home[Symbol.asyncDispose]();
});

interface Listed {
  readonly instances: readonly { readonly name: string; readonly backups: readonly { id: string; state: string }[] }[];
}

interface Failed {
  readonly error: { readonly code: string; readonly exitCode: number };
}

test('list shows the states, newest first', async () => {
  const { code, stdout, stderr } = await pointback(['list', '--json'], home.path);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  const { instances } = JSON.parse(stdout) as Listed;
  assert.deepEqual(
    instances.map(({ name, backups }) => [name, backups.map(({ id, state }) => `${id} ${state}`)]),
    [['::1-5432', [`${sampleIds[2]} broken`, `${sampleIds[1]} unproven`, `${sampleIds[0]} unproven`]]],
  );
});

test('an error for people goes to standard error alone', async () => {
  const { code, stdout, stderr } = await pointback(['bakup'], home.path);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
  assert.equal(
    stderr,
    'error: There is no command "bakup".\n  → Did you mean `pointback backup`? Run `pointback --help` for all commands.\n' +
      '  (usage.invalid; docs/errors.md#usage.invalid)\n',
  );
});

test('a reader that goes away is no failure', async () => {
  const { process: child, finished } = startPointback(['list', '--json'], home.path);
  child.stdout.destroy();
  const { code, stderr } = await finished.catch(async () => {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return { code: exitCode, stderr: '' };
  });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
});

/** A server that takes connections and never says a word. */
async function silentServer(): Promise<AsyncDisposable & { readonly port: number; readonly connected: Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  const connected = once(server, 'connection').then(() => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connected,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} while a server keeps silent cancels cleanly`, async () => {
    await using server = await silentServer();
    const { process: child, finished } = startPointback(
      ['--json', 'backup', `postgresql://u@127.0.0.1:${server.port}`, '--repository', 'cancelled'],
      home.path,
    );
    await server.connected;
    child.kill(signal);
    const { code, stdout, stderr } = await finished;
    assert.equal((JSON.parse(stdout) as Failed).error.code, 'operation.cancelled');
    assert.equal(code, 1);
    assert.match(stderr, /Cancelling/);
  });
}
