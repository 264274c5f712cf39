import type { Option, OptionTable, OptionValue, OptionValues, Positional } from './option.ts';
import type { Session } from './session.ts';

/** What a command that ran to its end has to say. Commands never write to standard output themselves. */
export interface CommandResult {
  /** The value printed with `--json`; big integers become decimal texts. */
  readonly json: unknown;
  /** The lines printed otherwise. */
  readonly text: readonly string[];
  /** 3: done, but problems were found. */
  readonly exitCode: 0 | 3;
}

/** The words of the command line as `run` gets them. */
export interface Invocation<O extends OptionTable> {
  /** Positional words in the order of the table; as many as are required, at most as many as there are. */
  readonly words: readonly string[];
  readonly options: OptionValues<O>;
}

/** A command of the command line. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs for the command's own help. */
  readonly description: readonly string[];
  readonly positionals: readonly Positional[];
  readonly options: OptionTable;
  /** Command lines to copy, without the leading `pointback`. */
  readonly examples: readonly string[];
  readonly run: (invocation: ParsedInvocation, session: Session) => Promise<CommandResult>;
}

/** An invocation before its command gives it types. */
export interface ParsedInvocation {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, OptionValue<Option>>>;
}

/** Makes a command whose `run` sees its options with the types of its own table. */
export function defineCommand<const O extends OptionTable>(
  definition: Omit<Command, 'options' | 'run'> & {
    readonly options: O;
    readonly run: (invocation: Invocation<O>, session: Session) => Promise<CommandResult>;
  },
): Command {
  // The parser fills in exactly this table's options with values of exactly these types.
  return { ...definition, run: (invocation, session) => definition.run(invocation as Invocation<O>, session) };
}
