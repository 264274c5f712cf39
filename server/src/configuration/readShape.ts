import type { Node, ParseError, ParseErrorCode } from 'jsonc-parser';
import { parseTree, printParseErrorCode } from 'jsonc-parser';
import { PointbackError } from '../api/errors.ts';
import type { ErrorCode } from '../api/errors.ts';
import { nearestWord } from './nearestWord.ts';
import { expectation } from './shape.ts';
import type { Shape } from './shape.ts';
import { positionAt } from './textPosition.ts';
import { urlHasPassword } from './urlPassword.ts';

/**
 * The value of a JSON text with comments, when it has the shape: texts, numbers, arrays, and plain objects for objects and
 * maps, nothing the shape does not know. Throws `configuration.invalid` or `configuration.password-in-file` for the first thing
 * that is wrong, naming file, line and column.
 */
export function readShape(text: string, shape: Shape, file: string): unknown {
  const content = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const reader: ShapeReader = new ShapeReader(content, file);
  const errors: ParseError[] = [];
  const root = parseTree(content, errors, { allowTrailingComma: true, disallowComments: false });
  const [first] = errors;
  if (root === undefined && content.trim() === '') reader.fail(0, 'the file is empty.', 'Write at least {} into it.');
  if (first !== undefined || root === undefined) {
    const problem = first === undefined ? 'nothing but comments' : wordsOf(first.error);
    const remedy = 'Correct the JSON there; comments and trailing commas are allowed.';
    reader.fail(first?.offset ?? 0, `the JSON is malformed (${problem}).`, remedy);
  }
  return reader.value(root, shape, []);
}

function wordsOf(code: ParseErrorCode): string {
  return printParseErrorCode(code)
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
}

class ShapeReader {
  readonly #text: string;
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  fail(offset: number, problem: string, remedy: string, code: ErrorCode = 'configuration.invalid'): never {
    const { line, column } = positionAt(this.#text, offset);
    throw new PointbackError(code, {
      message: `${this.#file}:${line}:${column}: ${problem}`,
      remedy,
      details: { file: this.#file, line, column },
    });
  }

  value(node: Node, shape: Shape, path: readonly string[]): unknown {
    switch (shape.kind) {
      case 'text':
        return this.#textValue(node, shape, path);
      case 'integer': {
        const value: unknown = node.value;
        const fits = Number.isInteger(value) && Number(value) >= shape.minimum && Number(value) <= shape.maximum;
        return node.type === 'number' && fits ? value : this.#wrong(node, shape, path);
      }
      case 'choice':
        return node.type === 'string' && shape.choices.includes(String(node.value))
          ? node.value
          : this.#wrong(node, shape, path);
      case 'list': {
        const items = node.type === 'array' ? (node.children ?? []) : this.#wrong(node, shape, path);
        if (items.length === 0 && shape.atLeastOne === true) this.#wrong(node, shape, path);
        return items.map((item, index) => this.value(item, shape.items, [...path, String(index)]));
      }
      case 'map':
      case 'object':
        return this.#object(node, shape, path);
    }
  }

  #textValue(node: Node, shape: Shape & { kind: 'text' }, path: readonly string[]): unknown {
    const value: unknown = node.value;
    if (node.type !== 'string' || typeof value !== 'string' || value === '') return this.#wrong(node, shape, path);
    if (urlHasPassword(value) && /^postgres(?:ql)?:\/\//.test(value)) this.#password(node, path);
    return (shape.accepts?.(value) ?? true) ? value : this.#wrong(node, shape, path);
  }

  #object(node: Node, shape: Shape & { kind: 'map' | 'object' }, path: readonly string[]): unknown {
    if (node.type !== 'object') return this.#wrong(node, shape, path);
    const values = new Map<string, unknown>();
    for (const property of node.children ?? []) {
      const [keyNode, valueNode] = property.children ?? [];
      if (keyNode === undefined || valueNode === undefined)
        this.fail(property.offset, 'a value is missing.', 'Write one.');
      const key = String(keyNode.value);
      if (values.has(key)) {
        this.fail(keyNode.offset, `"${key}" is there twice.`, 'Keep one of the two.');
      }
      values.set(key, this.value(valueNode, this.#shapeOf(key, keyNode, shape, path), [...path, key]));
    }
    const problem = shape.kind === 'object' ? shape.check?.(new Set(values.keys())) : undefined;
    if (problem !== undefined) this.fail(node.offset, `${inside(path)} ${problem.problem}`, problem.remedy);
    return Object.fromEntries(values);
  }

  #shapeOf(key: string, node: Node, shape: Shape & { kind: 'map' | 'object' }, path: readonly string[]): Shape {
    if (shape.kind === 'map') {
      if (new RegExp(shape.namePattern).test(key)) return shape.values;
      this.fail(node.offset, `"${key}" is no name to use here.`, `Choose ${shape.nameRule}.`);
    }
    const known = Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
    if (known !== undefined) return known.shape;
    if (/^(?:pg|ssl|ssl_?key)?_?(?:password|passwd|pass|passphrase)$/i.test(key)) this.#password(node, path);
    const allowed = Object.keys(shape.keys).filter((name) => !name.startsWith('$'));
    const nearest = nearestWord(key, allowed);
    this.fail(
      node.offset,
      `${inside(path)} has no key "${key}".`,
      `${nearest === undefined ? '' : `Did you mean "${nearest}"? `}Allowed here: ${allowed.join(', ')}.`,
    );
  }

  #wrong(node: Node, shape: Shape, path: readonly string[]): never {
    const what = path.length === 0 ? 'the file' : `"${path.join('.')}"`;
    this.fail(node.offset, `${what} must be ${expectation(shape)}.`, 'Correct the value there.');
  }

  #password(node: Node, path: readonly string[]): never {
    const place = path.length === 0 ? 'The configuration file' : `"${path.join('.')}"`;
    this.fail(
      node.offset,
      `${place} contains a password, and this file must not hold one.`,
      'Remove it, change the password if the file was ever shared, and give it in one of these ways instead: ' +
        '"passwordFile": a file that holds the password alone; a line in ~/.pgpass; the environment variable PGPASSWORD.',
      'configuration.password-in-file',
    );
  }
}

function inside(path: readonly string[]): string {
  return path.length === 0 ? 'the configuration' : `"${path.join('.')}"`;
}
