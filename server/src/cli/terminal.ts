import type { Readable } from 'node:stream';

/** An output of the command line: standard output or standard error, or a test's stand-in. */
export interface TextOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Standard input as prompts need it. */
export type TextInput = Readable & {
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
};

/** Time for displays; a test's clock stands still until told. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back at every interval until the returned function is called; never keeps the process alive. */
  every(milliseconds: number, callback: () => void): () => void;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  every: (milliseconds, callback) => {
    const timer = setInterval(callback, milliseconds);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  },
};

/** Environment variables as far as terminals care. */
type Variables = Readonly<Record<string, string | undefined>>;

/** Whether lines of this output can be redrawn. */
export function canRedraw(output: TextOutput, variables: Variables): boolean {
  return output.isTTY === true && variables['TERM'] !== 'dumb';
}

/** Columns of an output; 80 where it does not tell. */
export function columnsOf(output: TextOutput): number {
  return output.columns !== undefined && output.columns > 0 ? output.columns : 80;
}

const styles = { strong: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

/** Puts a style around a text, or nothing where colours are not wanted. */
export type Style = (style: keyof typeof styles, text: string) => string;

/** The styling of an output: colours on a terminal, unless NO_COLOR says otherwise (https://no-color.org). */
export function styleOf(output: TextOutput, variables: Variables): Style {
  const noColor = variables['NO_COLOR'];
  if (!canRedraw(output, variables) || (noColor !== undefined && noColor !== '')) return (_style, text) => text;
  return (style, text) => `\x1b[${styles[style][0]}m${text}\x1b[${styles[style][1]}m`;
}
