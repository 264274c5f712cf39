import { StringDecoder } from 'node:string_decoder';
import type { TextInput, TextOutput } from './terminal.ts';

/** Where prompts are shown and answered. */
export interface PromptDevices {
  readonly input: TextInput;
  /** Standard error: standard output belongs to the result. */
  readonly output: TextOutput;
  /** Ends the command as Ctrl-C does; the terminal sends no signal while it is read raw. */
  readonly interrupt: () => void;
}

/** Whether there is a person to ask. */
export function canPrompt({ input, output }: Pick<PromptDevices, 'input' | 'output'>): boolean {
  return input.isTTY === true && output.isTTY === true && input.setRawMode !== undefined;
}

/**
 * Asks for a line of text and reads it. With `hidden` nothing of it is shown. Resolves to undefined at the end of input; throws
 * the signal's reason when it fires. The terminal is left as it was found in every case. Call it only when `canPrompt`.
 */
export async function promptForLine(
  devices: PromptDevices,
  question: string,
  options: { readonly hidden: boolean; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { input, output } = devices;
  options.signal.throwIfAborted();
  output.write(question);
  const line = new LineEditor(options.hidden ? () => undefined : (text) => output.write(text));
  const decoder = new StringDecoder('utf8');
  const answer = Promise.withResolvers<string | undefined>();
  const onData = (bytes: Buffer): void => {
    const end = line.type(decoder.write(bytes));
    if (end === 'interrupt') devices.interrupt();
    else if (end !== undefined) answer.resolve(end === 'line' ? line.text : undefined);
  };
  const onEnd = (): void => {
    answer.resolve(undefined);
  };
  let isLineOpen = true;
  const endLine = (): void => {
    if (isLineOpen) output.write('\n');
    isLineOpen = false;
  };
  const onAbort = (): void => {
    // At once: what is said about the cancellation must not follow the question on its line.
    endLine();
    answer.reject(options.signal.reason as Error);
  };
  input.setRawMode?.(true);
  input.on('data', onData).on('end', onEnd);
  input.resume();
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await answer.promise;
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    input.off('data', onData).off('end', onEnd);
    input.pause();
    input.setRawMode?.(false);
    endLine();
  }
}

/** What ends the typing of a line. */
type LineEnd = 'line' | 'end-of-input' | 'interrupt';

/** Editing of one line on a terminal read raw: characters, backspace, Ctrl-U, Ctrl-C, Ctrl-D. */
class LineEditor {
  readonly #echo: (text: string) => unknown;
  #characters: string[] = [];
  #inEscape = false;

  constructor(echo: (text: string) => unknown) {
    this.#echo = echo;
  }

  get text(): string {
    return this.#characters.join('');
  }

  /** Takes what was typed; tells what ended the line, undefined while it goes on. */
  type(typed: string): LineEnd | undefined {
    for (const character of typed) {
      const end = this.#key(character);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  #key(character: string): LineEnd | undefined {
    if (this.#skipsEscape(character)) return undefined;
    switch (character) {
      case '\r':
      case '\n':
        return 'line';
      case '\x03':
        return 'interrupt';
      case '\x04':
        return this.#characters.length === 0 ? 'end-of-input' : undefined;
      case '\b':
      case '\x7f':
        if (this.#characters.pop() !== undefined) this.#echo('\b \b');
        return undefined;
      case '\x15':
        this.#echo('\b \b'.repeat(this.#characters.length));
        this.#characters = [];
        return undefined;
      default:
        if (character < ' ') return undefined;
        this.#characters.push(character);
        this.#echo(character);
        return undefined;
    }
  }

  /** An arrow key is no part of a password: escape sequences end with a letter or `~`. */
  #skipsEscape(character: string): boolean {
    if (character === '\x1b') this.#inEscape = true;
    else if (!this.#inEscape) return false;
    else if (/[A-Za-z~]/.test(character) && character !== 'O') this.#inEscape = false;
    else if (character < ' ') {
      this.#inEscape = false;
      return false;
    }
    return true;
  }
}
