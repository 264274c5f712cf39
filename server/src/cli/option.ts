/**
 * One option of a command or of all commands. Parsing, help texts and the types `run` sees come from the same value; an option
 * without a summary does not compile.
 */
export type Option =
  | { readonly type: 'flag'; readonly summary: string }
  | {
      readonly type: 'text';
      /** How the help text writes the value, for example `DIRECTORY`. */
      readonly placeholder: string;
      readonly summary: string;
      readonly required?: true;
    }
  /** Bytes, written with a unit such as 32M. */
  | { readonly type: 'size'; readonly placeholder: string; readonly summary: string }
  | {
      readonly type: 'integer';
      readonly placeholder: string;
      readonly summary: string;
      readonly minimum: number;
      readonly maximum: number;
    }
  | { readonly type: 'choice'; readonly choices: readonly string[]; readonly summary: string }
  /** A text that may be given several times. */
  | { readonly type: 'repeated'; readonly placeholder: string; readonly summary: string };

/** Options by their long name without the dashes. */
export type OptionTable = Readonly<Record<string, Option>>;

/** What `run` gets for an option. */
export type OptionValue<O extends Option> = O extends { readonly type: 'flag' }
  ? boolean
  : O extends { readonly type: 'size' | 'integer' }
    ? number | undefined
    : O extends { readonly type: 'repeated' }
      ? readonly string[]
      : O extends { readonly type: 'choice'; readonly choices: readonly (infer C)[] }
        ? C | undefined
        : O extends { readonly required: true }
          ? string
          : string | undefined;

/** What `run` gets for a table of options. */
export type OptionValues<T extends OptionTable> = { readonly [K in keyof T]: OptionValue<T[K]> };

/** A word of the command line that is no option, in its place. */
export interface Positional {
  /** How the help text writes it, for example `INSTANCE`. */
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
}

/** The options every command has, before or after the command's name. */
export const globalOptions = {
  config: {
    type: 'text',
    placeholder: 'FILE',
    summary:
      'The configuration file. Default: POINTBACK_CONFIG, pointback.json here, then in your configuration directory.',
  },
  repository: {
    type: 'text',
    placeholder: 'DIR',
    summary: "The directory of the backups. Default: the configuration's, then your data directory.",
  },
  json: { type: 'flag', summary: 'Print one JSON value on standard output, errors included.' },
  help: { type: 'flag', summary: 'Print this text.' },
  version: { type: 'flag', summary: 'Print the version.' },
} as const satisfies OptionTable;

/** Global options as `run` and the frame see them. */
export type GlobalValues = OptionValues<typeof globalOptions>;
