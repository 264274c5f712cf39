import { spawn } from 'node:child_process';
import { access, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { endWithProcess } from './endWithProcess.ts';
import { freePort } from './freePort.ts';
import type { TestServer } from './testServer.ts';
import { spawnIdentity } from './unprivileged.ts';
import { waitFor } from './waitFor.ts';

const program = '/usr/sbin/pgbouncer';

/** A real PgBouncer in front of a server. */
export interface TestPooler extends AsyncDisposable {
  readonly port: number;
  /** Restarts it with another `ignore_startup_parameters`. */
  ignoreParameters(names: string): Promise<void>;
}

/** Starts PgBouncer for these users, by name and password; undefined when it is not installed. */
export async function pgBouncer(
  server: TestServer,
  users: Readonly<Record<string, string>>,
): Promise<TestPooler | undefined> {
  const installed = await access(program).then(
    () => true,
    () => false,
  );
  if (!installed) return undefined;
  const directory = await server.makeDirectory('pgbouncer');
  const port = await freePort();
  const lines = Object.entries(users).map(([name, password]) => `"${name}" "${password}"\n`);
  await writeFile(join(directory, 'users.txt'), lines.join(''), { mode: 0o644 });
  let stop = (): Promise<void> => Promise.resolve();

  const start = async (ignored: string): Promise<void> => {
    await stop();
    const configuration = [
      '[databases]',
      `* = host=${server.host} port=${server.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${join(directory, 'users.txt')}`,
      `ignore_startup_parameters = ${ignored}`,
    ];
    await writeFile(join(directory, 'pgbouncer.ini'), `${configuration.join('\n')}\n`, { mode: 0o644 });
    const child = spawn(program, [join(directory, 'pgbouncer.ini')], {
      ...spawnIdentity(),
      cwd: directory,
      stdio: 'ignore',
    });
    const withdraw = endWithProcess(() => child.kill('SIGKILL'));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    stop = async () => {
      withdraw();
      child.kill('SIGQUIT');
      await ended;
    };
    await waitFor('PgBouncer listens', () => {
      if (child.exitCode !== null) throw new Error('PgBouncer did not start.');
      return answers(port);
    });
  };
  await start('');
  return { port, ignoreParameters: start, [Symbol.asyncDispose]: () => stop() };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
