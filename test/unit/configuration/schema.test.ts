import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { configurationJsonSchema } from '../../../server/src/configuration/configurationShape.ts';
import { parseConfiguration } from '../../../server/src/configuration/parseConfiguration.ts';
import { testEnvironment } from './environment.ts';

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
}

async function shippedSchema(): Promise<Schema> {
  return JSON.parse(await readFile(new URL('../../../media/pointback.schema.json', import.meta.url), 'utf8')) as Schema;
}

test('the schema the editor reads is the one the parser is made of', async () => {
  assert.deepEqual(await shippedSchema(), configurationJsonSchema());
});

/** A value of every key the schema knows, by path. */
const samples: Readonly<Record<string, unknown>> = {
  $schema: 'x',
  repository: 'x',
  'instances.*.url': 'postgresql://h',
  'instances.*.host': 'h',
  'instances.*.port': 5432,
  'instances.*.user': 'u',
  'instances.*.database': 'd',
  'instances.*.sslMode': 'require',
  'instances.*.sslRootCert': 'x',
  'instances.*.sslCert': 'x',
  'instances.*.sslKey': 'x',
  'instances.*.passwordFile': 'x',
  'instances.*.backup.compression': 'gzip:1',
  'instances.*.backup.manifestChecksums': 'SHA512',
  'instances.*.backup.maxRate': '1M',
  'instances.*.backup.checkpoint': 'fast',
  'instances.*.backup.label': 'l',
  'instances.*.serverBinaries': 'x',
  serverBinaries: ['x'],
  'container.command': ['x'],
};

function leaves(schema: Schema, path: readonly string[]): string[] {
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([key, value]) => leaves(value, [...path, key]));
  }
  if (typeof schema.additionalProperties === 'object') return leaves(schema.additionalProperties, [...path, '*']);
  return [path.join('.')];
}

test('the parser takes every key of the schema', async () => {
  const keys = leaves(await shippedSchema(), []);
  assert.deepEqual(keys.toSorted(), Object.keys(samples).toSorted());
  for (const key of keys) {
    const path = key.split('.');
    const host = path[0] === 'instances' && !['url', 'host'].includes(path[2] ?? '') ? { host: 'h' } : {};
    const value = path.reduceRight<unknown>((inner, segment, index) => {
      const name = segment === '*' ? 'a' : segment;
      return { ...(index === 2 ? host : {}), [name]: inner };
    }, samples[key]);
    assert.doesNotThrow(() => parseConfiguration(JSON.stringify(value), '/f.json', testEnvironment()), key);
  }
});
