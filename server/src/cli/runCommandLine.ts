import { PointbackError, toPointbackError } from '../api/errors.ts';
import { pointbackVersion } from '../api/version.ts';
import type { HostEnvironment } from '../configuration/environment.ts';
import { loadConfiguration } from '../configuration/loadConfiguration.ts';
import { listenForCancellation } from './cancellation.ts';
import type { Cancellation, SignalSource } from './cancellation.ts';
import type { Command, CommandResult } from './command.ts';
import { commandHelp, generalHelp } from './help.ts';
import { logTo, logThreshold } from './log.ts';
import { parseCommandLine } from './parseCommandLine.ts';
import type { CommandLine } from './parseCommandLine.ts';
import { PromptedPasswords } from './passwordPrompt.ts';
import { MessageArea } from './progress/messageArea.ts';
import { canPrompt, promptForLine } from './prompt.ts';
import { causeLines, errorLines, jsonText } from './report.ts';
import type { Session } from './session.ts';
import { canRedraw, columnsOf, styleOf } from './terminal.ts';
import type { Clock, TextInput, TextOutput } from './terminal.ts';

/** The process a command line runs in, or a test's stand-in. */
export interface Host {
  readonly stdin: TextInput;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly environment: HostEnvironment;
  readonly clock: Clock;
  readonly signals: SignalSource;
  /** Ends the process at once: the second Ctrl-C. */
  readonly exitNow: (code: number) => void;
}

/**
 * Runs a command line from its words to its exit code. Standard output gets the result and nothing else: with `--json` exactly
 * one JSON value, which is `{"error": …}` after a failure. Never throws.
 */
export async function runCommandLine(
  words: readonly string[],
  commands: readonly Command[],
  host: Host,
): Promise<number> {
  const { variables } = host.environment;
  const messages = new MessageArea(host.stderr, host.clock, canRedraw(host.stderr, variables));
  const cancellation = listenForCancellation(host.signals, {
    announce: () => {
      messages.line('Cancelling: waiting for a clean end. Press Ctrl-C again to stop at once.');
    },
    exitNow: () => {
      host.exitNow(1);
    },
  });
  // Known before the words are understood, so that even a usage error comes out as JSON.
  const options = words.slice(0, words.includes('--') ? words.indexOf('--') : undefined);
  const asJson = options.includes('--json');
  try {
    const result = await resultOf(parseCommandLine(words, commands), commands, host, messages, cancellation);
    messages.endProgress();
    host.stdout.write(`${asJson ? jsonText(result.json) : result.text.join('\n')}\n`);
    return result.exitCode;
  } catch (thrown) {
    messages.endProgress();
    const error = shownError(thrown, cancellation, messages);
    if (logThreshold(variables) === 'debug') for (const line of causeLines(thrown)) messages.line(line);
    if (asJson) host.stdout.write(`${jsonText({ error: error.toJSON() })}\n`);
    else for (const line of errorLines(error, styleOf(host.stderr, variables))) messages.line(line);
    return error.exitCode;
  } finally {
    cancellation.dispose();
  }
}

async function resultOf(
  line: CommandLine,
  commands: readonly Command[],
  host: Host,
  messages: MessageArea,
  cancellation: Cancellation,
): Promise<CommandResult> {
  const { command, global } = line;
  if (global.version) {
    return { json: { version: pointbackVersion }, text: [`pointback ${pointbackVersion}`], exitCode: 0 };
  }
  if (global.help) return helpResult(command === undefined ? generalHelp(commands) : commandHelp(command));
  if (command === undefined) {
    throw new PointbackError('usage.invalid', {
      message: 'No command was given.',
      remedy: `Say what to do: ${commands.map(({ name }) => name).join(', ')}. Run \`pointback --help\` for more.`,
    });
  }
  const configuration = await loadConfiguration(
    { file: global.config, repository: global.repository },
    host.environment,
  );
  return await command.run(line.invocation, session({ configuration, host, messages, cancellation }));
}

function helpResult(text: string[]): CommandResult {
  return { json: { help: text.join('\n') }, text, exitCode: 0 };
}

function session(parts: {
  readonly configuration: Session['configuration'];
  readonly host: Host;
  readonly messages: MessageArea;
  readonly cancellation: Cancellation;
}): Session {
  const { configuration, host, messages, cancellation } = parts;
  const { stdin, stdout, stderr, environment } = host;
  const devices = { input: stdin, output: stderr, interrupt: cancellation.interrupt };
  const prompt = (question: string, hidden: boolean, signal: AbortSignal): Promise<string | undefined> =>
    messages.whileHeld(() => promptForLine(devices, question, { hidden, signal }));
  const isInteractive = canPrompt(devices);
  return {
    configuration,
    environment,
    context: {
      signal: cancellation.signal,
      progress: (event) => {
        messages.progress(event);
      },
      log: logTo(messages, environment.variables, styleOf(stderr, environment.variables)),
      secrets: new PromptedPasswords(isInteractive ? (question, signal) => prompt(question, true, signal) : undefined),
    },
    style: styleOf(stdout, environment.variables),
    width: stdout.isTTY === true ? columnsOf(stdout) : undefined,
    now: () => new Date(host.clock.now()),
    tell: (lines) => {
      messages.endProgress();
      for (const text of lines) messages.line(text);
    },
    ask: isInteractive ? (question) => prompt(question, false, cancellation.signal) : undefined,
  };
}

/** After a cancellation every failure is its consequence; one that says something else is logged. */
function shownError(thrown: unknown, cancellation: Cancellation, messages: MessageArea): PointbackError {
  const error = toPointbackError(thrown);
  if (!cancellation.signal.aborted || error.code === 'operation.cancelled') return error;
  messages.line(`warning: while cancelling: ${error.message} (${error.code})`);
  return toPointbackError(cancellation.signal.reason);
}
