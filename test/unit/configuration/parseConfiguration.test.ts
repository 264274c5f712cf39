import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PointbackError } from '../../../server/src/api/errors.ts';
import { parseConfiguration } from '../../../server/src/configuration/parseConfiguration.ts';
import { testEnvironment } from './environment.ts';

const file = '/etc/pointback/pointback.json';
const parse = (text: string, environment = testEnvironment()) => parseConfiguration(text, file, environment);

function errorOf(text: string): PointbackError {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof PointbackError, String(error));
    return error;
  }
  assert.fail('it was accepted');
}

test('everything a file can say', () => {
  const configuration = parse(`// where backups go
  {
    "$schema": "./pointback.schema.json",
    "repository": "backups", /* beside this file */
    "instances": {
      "shop": {
        "url": "postgresql://backup@db.example.com:5433",
        "sslMode": "verify-full",
        "sslRootCert": "system",
        "passwordFile": "~/secrets/shop",
        "backup": { "compression": "zstd:9", "manifestChecksums": "CRC32C", "maxRate": "32M", "checkpoint": "spread", "label": "nightly" },
        "serverBinaries": "/usr/lib/postgresql/17/bin",
      },
      "blog": { "host": "10.0.0.7", "port": 5432, "user": "backup", "database": "blog", "sslCert": "c.crt", "sslKey": "/k/c.key" },
    },
    "serverBinaries": ["pg/18/bin"],
    "container": { "command": ["sudo", "podman"] },
  }`);
  assert.deepEqual(configuration, {
    file,
    repository: '/etc/pointback/backups',
    instances: new Map([
      [
        'shop',
        {
          name: 'shop',
          url: 'postgresql://backup@db.example.com:5433',
          sslMode: 'verify-full',
          sslRootCert: 'system',
          passwordFile: '/home/ada/secrets/shop',
          backup: {
            compression: { method: 'zstd', level: 9 },
            manifestChecksums: 'CRC32C',
            maxRateKb: 32768,
            checkpoint: 'spread',
            label: 'nightly',
          },
          serverBinaries: '/usr/lib/postgresql/17/bin',
        },
      ],
      [
        'blog',
        {
          name: 'blog',
          host: '10.0.0.7',
          port: 5432,
          user: 'backup',
          database: 'blog',
          sslCert: '/etc/pointback/c.crt',
          sslKey: '/k/c.key',
          backup: {},
        },
      ],
    ]),
    serverBinaries: ['/etc/pointback/pg/18/bin'],
    containerCommand: ['sudo', 'podman'],
  });
});

test('defaults of an empty object, and a byte order mark before it', () => {
  const configuration = parse('\uFEFF{}');
  assert.equal(configuration.repository, '/home/ada/.local/share/pointback/repository');
  assert.equal(configuration.instances.size, 0);
  assert.deepEqual(configuration.containerCommand, ['docker']);
});

test('paths of Windows', () => {
  const environment = testEnvironment({ platform: 'win32', homeDirectory: 'C:\\Users\\Ada' });
  const configuration = parseConfiguration('{"repository": "backups"}', 'D:\\pb\\pointback.json', environment);
  assert.equal(configuration.repository, 'D:\\pb\\backups');
  assert.equal(
    parseConfiguration('{}', 'D:\\pb\\pointback.json', environment).repository,
    'C:\\Users\\Ada\\AppData\\Local\\pointback\\repository',
  );
});

const wrong: readonly (readonly [text: string, place: string, message: RegExp, remedy: RegExp])[] = [
  ['', '1:1', /empty/, /\{\}/],
  ['{"repository": }', '1:16', /malformed.*value expected/, /Correct the JSON/],
  ['{} {}', '1:4', /malformed/, /Correct/],
  ['[]', '1:1', /the file must be an object/, /Correct/],
  [
    '{\n  "repositry": "x"\n}',
    '2:3',
    /no key "repositry"/,
    /Did you mean "repository"\? Allowed here: repository, instances/,
  ],
  ['{"zzzzzz": 1}', '1:2', /no key "zzzzzz"/, /^Allowed here: repository/],
  ['{"__proto__": {}}', '1:2', /no key "__proto__"/, /Allowed/],
  ['{"constructor": 1}', '1:2', /no key "constructor"/, /Allowed/],
  ['{"repository": 7}', '1:16', /"repository" must be a path/, /Correct/],
  ['{"repository": ""}', '1:16', /"repository" must be a path/, /Correct/],
  ['{"repository": "a", "repository": "b"}', '1:21', /"repository" is there twice/, /Keep one/],
  ['{"instances": {"a": {}}}', '1:21', /"instances.a" does not say where its server is/, /"url" such as/],
  ['{"instances": {"a": {"url": "postgresql://h", "port": 1}}}', '1:21', /twice: "url" and "port"/, /Keep the url/],
  ['{"instances": {"a": {"url": "http://h"}}}', '1:29', /must be a URL such as/, /Correct/],
  ['{"instances": {"a": {"host": "h", "port": 0}}}', '1:43', /whole number from 1 to 65535/, /Correct/],
  ['{"instances": {"a": {"host": "h", "port": "5432"}}}', '1:43', /whole number from 1 to 65535/, /Correct/],
  ['{"instances": {"a": {"host": "h", "sslMode": "on"}}}', '1:46', /one of "disable", "allow"/, /Correct/],
  ['{"instances": {"../a": {"host": "h"}}}', '1:16', /"..\/a" is no name/, /without \/ \\ or :/],
  ['{"instances": {"-a": {"host": "h"}}}', '1:16', /"-a" is no name/, /dash/],
  ['{"instances": {"a": {"host": "h", "backup": {"compression": "zstd:99"}}}}', '1:61', /zstd:LEVEL/, /Correct/],
  ['{"instances": {"a": {"host": "h", "backup": {"maxRate": "32"}}}}', '1:57', /with its unit/, /Correct/],
  ['{"instances": {"a": {"host": "h", "backup": {"label": "a\\nb"}}}}', '1:55', /one line/, /Correct/],
  ['{"container": {"command": []}}', '1:27', /at least one/, /Correct/],
  ['{"serverBinaries": ["a", 1]}', '1:26', /"serverBinaries.1" must be a path/, /Correct/],
];

for (const [text, place, message, remedy] of wrong) {
  test(`refused with its place: ${JSON.stringify(text)}`, () => {
    const error = errorOf(text);
    assert.equal(error.code, 'configuration.invalid');
    assert.ok(error.message.startsWith(`${file}:${place}: `), error.message);
    assert.match(error.message, message);
    assert.match(error.remedy, remedy);
    const [line, column] = place.split(':').map(Number);
    assert.deepEqual(error.details, { file, line, column });
  });
}

const passwords = [
  '{"instances": {"a": {"url": "postgresql://u:hunter2@h/"}}}',
  '{"instances": {"a": {"url": "postgresql://h/db?sslmode=require&password=hunter2"}}}',
  '{"instances": {"a": {"url": "postgresql://u@h/?sslpassword=hunter2"}}}',
  '{"instances": {"a": {"host": "h", "password": "hunter2"}}}',
  '{"instances": {"a": {"host": "h", "PGPASSWORD": "hunter2"}}}',
  '{"instances": {"a": {"host": "h", "sslKeyPassword": "hunter2"}}}',
  '{"password": "hunter2"}',
];

for (const text of passwords) {
  test(`a password is refused and not shown: ${text}`, () => {
    const error = errorOf(text);
    assert.equal(error.code, 'configuration.password-in-file');
    assert.match(error.remedy, /passwordFile.*~\/\.pgpass.*PGPASSWORD/s);
    assert.ok(!JSON.stringify(error).includes('hunter2'));
  });
}

test('lines are counted whatever ends them', () => {
  for (const end of ['\n', '\r\n', '\r']) assert.match(errorOf(`{${end}${end} "x": 1}`).message, /:3:2: /);
});
