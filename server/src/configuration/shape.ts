/** What a value of the configuration file may be. One table of shapes drives the parser and the editor's JSON schema. */
export type Shape =
  | {
      readonly kind: 'text';
      /** A relative path counts from the file's directory, a leading `~/` from the home directory. */
      readonly path?: true;
      /** Tells texts that are wrong although they are text; the same rule as `pattern` or stricter. */
      readonly accepts?: (text: string) => boolean;
      /** What is accepted, in words for the error. */
      readonly expected?: string;
      /** For the JSON schema, when the rule can be told as a regular expression. */
      readonly pattern?: string;
    }
  | { readonly kind: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'list'; readonly items: Shape; readonly atLeastOne?: true }
  | { readonly kind: 'map'; readonly values: Shape; readonly namePattern: string; readonly nameRule: string }
  | {
      readonly kind: 'object';
      readonly keys: Readonly<Record<string, Key>>;
      /** What is wrong with the keys that are there, as a whole; the sentence goes on after the object's name. */
      readonly check?: (keys: ReadonlySet<string>) => { readonly problem: string; readonly remedy: string } | undefined;
    };

/** One key of an object of the configuration file. A key without a description does not compile. */
export interface Key {
  readonly shape: Shape;
  /** Shown by the editor, one or two sentences. */
  readonly description: string;
}

/** What a shape wants, in words: `text`, `one of fast, spread`, `a whole number from 1 to 65535`. */
export function expectation(shape: Shape): string {
  switch (shape.kind) {
    case 'text':
      return shape.expected ?? (shape.path === true ? 'a path in quotes' : 'text in quotes');
    case 'integer':
      return `a whole number from ${shape.minimum} to ${shape.maximum}`;
    case 'choice':
      return `one of ${shape.choices.map((choice) => `"${choice}"`).join(', ')}`;
    case 'list':
      return `a list ${shape.atLeastOne === true ? 'of at least one' : 'of'}: ${expectation(shape.items)}`;
    case 'map':
      return 'an object with a name for each entry';
    case 'object':
      return 'an object';
  }
}

/** The JSON schema (draft 7, the one VS Code reads) of a shape, as a plain value. */
export function jsonSchemaOf(shape: Shape): Record<string, unknown> {
  switch (shape.kind) {
    case 'text':
      return { type: 'string', minLength: 1, ...(shape.pattern === undefined ? {} : { pattern: shape.pattern }) };
    case 'integer':
      return { type: 'integer', minimum: shape.minimum, maximum: shape.maximum };
    case 'choice':
      return { type: 'string', enum: [...shape.choices] };
    case 'list':
      return {
        type: 'array',
        items: jsonSchemaOf(shape.items),
        ...(shape.atLeastOne === true ? { minItems: 1 } : {}),
      };
    case 'map':
      return {
        type: 'object',
        propertyNames: { pattern: shape.namePattern },
        additionalProperties: jsonSchemaOf(shape.values),
      };
    case 'object':
      return {
        type: 'object',
        additionalProperties: false,
        properties: Object.fromEntries(
          Object.entries(shape.keys).map(([name, key]) => [
            name,
            { description: key.description, ...jsonSchemaOf(key.shape) },
          ]),
        ),
      };
  }
}
