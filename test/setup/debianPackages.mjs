import { existsSync } from 'node:fs';

/** What the tests want from Debian, and the file that shows it is there. The only list of it. */
const wanted = [
  { name: 'postgresql-15', file: '/usr/lib/postgresql/15/bin/postgres', why: 'a server with lz4 and zstd' },
  { name: 'postgresql-client-15', file: '/usr/lib/postgresql/15/bin/pg_basebackup', why: 'the official tools' },
  { name: 'zstd', file: '/usr/bin/zstd', why: 'to read our archives with the official tool' },
  { name: 'openssl', file: '/usr/bin/openssl', why: 'certificates for TLS tests' },
  { name: 'pgbouncer', file: '/usr/sbin/pgbouncer', why: 'a pooler in the way' },
];

/**
 * Installs what is missing with apt-get, as root on Debian; anywhere else, and when it fails, says in one line what the
 * tests go without.
 *
 * @param run starts a command and waits for it, as spawnSync.
 */
export function installDebianPackages(run) {
  const missing = wanted.filter(({ file }) => !existsSync(file));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  let trouble = '';
  const apt = (...args) => {
    const result = run('apt-get', ['-qq', '-y', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Run level 1 keeps the packages from starting services: the tests start their own.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
    trouble = `: ${String(result.stderr ?? result.error)
      .trim()
      .split('\n')
      .at(-1)}`;
    return result.status === 0;
  };
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.error(`Installing Debian packages for the tests: ${names.join(' ')} …`);
    const install = () => apt('install', '--no-install-recommends', ...names);
    // The package lists may be missing or old; fetching them takes a while, so only when needed.
    if (install() || (apt('update') && install())) return;
  }
  const reasons = missing.map(({ name, why }) => `${name} (${why})`);
  console.error(`The tests run without ${reasons.join(', ')}${trouble}`);
}
