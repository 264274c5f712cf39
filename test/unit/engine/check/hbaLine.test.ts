import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressChoices, singleAddress } from '../../../../server/src/engine/check/clientAddress.ts';
import { hbaLine, sqlName } from '../../../../server/src/engine/check/hbaLine.ts';

describe('the line to add', () => {
  const line = (user: string, serverMajor?: number): string =>
    hbaLine({
      type: 'host',
      database: { keyword: 'replication' },
      user,
      address: '172.18.0.0/16',
      method: 'scram-sha-256',
      serverMajor,
    });

  it('is what a person would write', () => {
    assert.equal(line('backup'), 'host  replication  backup  172.18.0.0/16  scram-sha-256');
  });

  const names: [user: string, field: string, major?: number][] = [
    ['all', '"all"'],
    ['replication', 'replication'],
    ['+group', '"+group"'],
    ['@file', '"@file"'],
    ['with space', '"with space"'],
    ['a,b', '"a,b"'],
    ['a#b', '"a#b"'],
    ['say "hi"', '"say ""hi"""'],
    ['Büro', '"Büro"'],
    ['', '""'],
    ['/x.y', '"/x.y"', 15],
    ['/x.y', '"/^/x\\.y$"', 16],
    ['/x.y', '"/^/x\\.y$"'],
    ['back-up_1.x$', 'back-up_1.x$'],
    ['two\nlines', 'all'],
  ];
  for (const [user, field, major] of names) {
    it(`quotes ${JSON.stringify(user)} for ${major ?? 'an unknown version'}`, () => {
      assert.equal(line(user, major), `host  replication  ${field}  172.18.0.0/16  scram-sha-256`);
    });
  }

  it('quotes a database that is called like a keyword, and leaves the address out on a socket', () => {
    const common = { user: 'u', method: 'md5', serverMajor: 15 };
    assert.equal(
      hbaLine({ ...common, type: 'hostssl', database: { name: 'replication' }, address: '::1/128' }),
      'hostssl  "replication"  u  ::1/128  md5',
    );
    assert.equal(
      hbaLine({ ...common, type: 'local', database: { keyword: 'replication' }, address: undefined }),
      'local  replication  u  md5',
    );
  });

  it('comes with SQL that quotes names', () => {
    assert.equal(sqlName('backup'), 'backup');
    assert.equal(sqlName('Backup "x"'), '"Backup ""x"""');
  });
});

describe('the address to admit', () => {
  const offered = (client: string, server?: string, connectedTo?: string, inContainer = false): string[] =>
    addressChoices({ client, server, connectedTo, inContainer }).map(({ cidr }) => cidr);

  it('is the one address', () => {
    assert.deepEqual(offered('203.0.113.7', '203.0.113.1', '203.0.113.1'), ['203.0.113.7/32']);
    assert.deepEqual(offered('127.0.0.1', '127.0.0.1', '127.0.0.1'), ['127.0.0.1/32']);
    assert.deepEqual(offered('::1'), ['::1/128']);
    assert.equal(singleAddress('fe80::1%eth0'), 'fe80::1/128');
  });

  it("is a container network when the server's port is published", () => {
    assert.deepEqual(offered('172.18.0.1', '172.18.0.2', '127.0.0.1'), ['172.18.0.0/16', '172.18.0.1/32']);
    assert.deepEqual(offered('172.31.0.1', '172.31.0.9', '10.0.0.5'), ['172.31.0.0/16', '172.31.0.1/32']);
    assert.deepEqual(offered('192.168.48.1', '192.168.50.2', '127.0.0.1'), ['192.168.48.0/20', '192.168.48.1/32']);
    assert.deepEqual(offered('10.89.3.1', '10.89.3.2', '127.0.0.1'), ['10.89.3.0/24', '10.89.3.1/32']);
  });

  it('is a container network when we are in it ourselves', () => {
    assert.deepEqual(offered('172.18.0.5', '172.18.0.2', '172.18.0.2', true), ['172.18.0.0/16', '172.18.0.5/32']);
    assert.deepEqual(offered('172.18.0.5', '172.18.0.2', '172.18.0.2', false), ['172.18.0.5/32']);
  });

  it('is no network on a hunch', () => {
    // An office network in the same range, another network than the server's, and no pool of containers at all.
    assert.deepEqual(offered('172.20.4.9', '172.20.1.1', '172.20.1.1'), ['172.20.4.9/32']);
    assert.deepEqual(offered('192.168.65.1', '172.17.0.2', '127.0.0.1'), ['192.168.65.1/32']);
    assert.deepEqual(offered('10.0.0.1', '10.0.0.2', '127.0.0.1'), ['10.0.0.1/32']);
  });

  it("is Docker's network by its gateway's address when the server could not be asked", () => {
    assert.deepEqual(offered('172.18.0.1'), ['172.18.0.0/16', '172.18.0.1/32']);
    assert.deepEqual(offered('172.18.0.7'), ['172.18.0.7/32']);
    assert.deepEqual(offered('192.168.0.1'), ['192.168.0.1/32']);
  });
});
