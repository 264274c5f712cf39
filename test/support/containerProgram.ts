import { spawn } from 'node:child_process';
import { appendFileSync, openSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverEnvironment } from './dataDirectoryTemplate.ts';
import { serverBinaries } from './postgresBinaries.ts';
import { isRunning, signalIfAlive } from './processes.ts';
import { waitFor } from './waitFor.ts';

/*
 * Stands in for `docker`, where tests have none: node containerProgram.ts STATE run|inspect|logs|rm|version …
 * A container is a server process of the image's major version that sees the host's directories: paths inside the
 * container are translated, and a tablespace that no volume brings in is refused. STATE/calls.jsonl gets every call.
 */

/** `run` failing as docker does. */
class Refused extends Error {}

/** The options of `run` that Pointback uses, each with a value but `--detach`. */
function parseRun(words: readonly string[]): { options: [string, string][]; image: string; command: string[] } {
  const options: [string, string][] = [];
  let at = 0;
  for (; words[at]?.startsWith('--') === true; at += 1) {
    const option = words[at] ?? '';
    if (option === '--detach') continue;
    if (!['--name', '--user', '--publish', '--env', '--volume'].includes(option)) {
      throw new Refused(`unknown flag: ${option}`);
    }
    at += 1;
    options.push([option, words[at] ?? '']);
  }
  const [image = '', ...command] = words.slice(at);
  return { options, image, command };
}

interface Volume {
  readonly host: string;
  readonly inside: string;
}

function parseVolume(text: string): Volume {
  const parts = text.split(':');
  const [host = '', inside = ''] = parts;
  if (parts.length !== 2) throw new Refused(`invalid volume specification: '${text}'`);
  return { host, inside };
}

function hostPath(volumes: readonly Volume[], path: string): string {
  const volume = volumes.find(({ inside }) => `${path}/`.startsWith(`${inside}/`));
  return volume === undefined ? path : volume.host + path.slice(volume.inside.length);
}

/** What is linked must be there under the same name inside. */
function refuseDanglingTablespaces(dataDirectory: string, volumes: readonly Volume[]): void {
  const links = join(dataDirectory, 'pg_tblspc');
  for (const name of readdirSync(links)) {
    const target = readlinkSync(join(links, name));
    const present = volumes.some(({ host, inside }) => host === inside && `${target}/`.startsWith(`${inside}/`));
    if (!present) throw new Refused(`the tablespace ${target} does not exist in the container`);
  }
}

async function run(state: string, words: readonly string[]): Promise<void> {
  const { options, image, command } = parseRun(words);
  const one = (option: string): string => {
    const values = options.filter(([name]) => name === option);
    if (values.length !== 1) throw new Refused(`${values.length} times ${option}`);
    return values[0]?.[1] ?? '';
  };
  const name = one('--name');
  const taken = readdirSync(state).includes(`${name}.json`);
  if (taken) throw new Refused(`Conflict. The container name "/${name}" is already in use`);
  const volumes = options.filter(([option]) => option === '--volume').map(([, value]) => parseVolume(value));
  const [address = '', hostPort = '', port = ''] = one('--publish').split(':');
  const inside = one('--env').replace(/^PGDATA=/, '');
  const [uid, gid] = one('--user').split(':').map(Number);
  const log = openSync(join(state, `${name}.log`), 'a');
  const [program, ...settings] = command;
  if (program !== 'postgres') throw new Refused(`the image has no program ${program ?? ''}`);
  let args: string[] = ['-D', hostPath(volumes, inside)];
  for (const word of settings) {
    const [setting = '', value = ''] = word.split(/=(.*)/s);
    if (setting === '-c') args.push('-c');
    else if (setting === 'port' && value === port) args.push(`port=${hostPort}`);
    else if (setting === 'listen_addresses' && value === '*') args.push(`listen_addresses=${address}`);
    else args.push(`${setting}=${hostPath(volumes, value)}`);
  }
  let executable = '/bin/sleep';
  if (image === 'postgres:sleeping') args = ['60'];
  else {
    refuseDanglingTablespaces(hostPath(volumes, inside), volumes);
    const binaries = await serverBinaries(Number(/^postgres:(\d+)$/.exec(image)?.[1]));
    if (binaries === undefined) throw new Refused(`manifest for ${image} not found`);
    executable = join(binaries.bin, 'postgres');
  }
  const child = spawn(executable, args, {
    ...(process.getuid?.() === 0 && uid !== undefined && gid !== undefined ? { uid, gid } : {}),
    cwd: '/',
    env: serverEnvironment(),
    stdio: ['ignore', log, log],
    detached: true,
  });
  child.unref();
  writeFileSync(join(state, `${name}.json`), JSON.stringify({ pid: child.pid }));
  console.log('4f66ad9a0b2e');
}

function pidOf(state: string, name: string): number {
  const { pid } = JSON.parse(readFileSync(join(state, `${name}.json`), 'utf8')) as { pid: number };
  return pid;
}

async function main([state = '', command = '', ...words]: readonly string[]): Promise<void> {
  appendFileSync(join(state, 'calls.jsonl'), `${JSON.stringify([command, ...words])}\n`);
  const name = words.at(-1) ?? '';
  switch (command) {
    case 'version':
      console.log('stand-in');
      return;
    case 'run':
      return run(state, words);
    case 'inspect':
      console.log(String(await isRunning(pidOf(state, name))));
      return;
    case 'logs': {
      // As docker: what the container said on its stderr comes on stderr.
      const lines = readFileSync(join(state, `${name}.log`), 'utf8').split('\n');
      console.error(lines.slice(-21).join('\n'));
      return;
    }
    case 'rm': {
      const pid = pidOf(state, name);
      signalIfAlive(pid, 'SIGQUIT');
      await waitFor('the container is gone', async () => !(await isRunning(pid)));
      return;
    }
    default:
      throw new Refused(`'${command}' is not a docker command`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`docker: Error response from daemon: ${error instanceof Error ? error.message : String(error)}.`);
  process.exitCode = error instanceof Refused ? 125 : 1;
}
