import { isPointbackError } from '../api/errors.ts';
import type { Configuration } from '../configuration/configuration.ts';
import type { HostEnvironment } from '../configuration/environment.ts';
import { resolveInstance } from '../configuration/resolveInstance.ts';
import type { ResolvedInstance } from '../configuration/resolveInstance.ts';
import type { OperationContext } from '../engine/context.ts';
import type { Repository } from '../repository/repository.ts';
import type { Style } from './terminal.ts';

/** What a command runs with: everything it may use of the world. */
export interface Session {
  readonly configuration: Configuration;
  readonly environment: HostEnvironment;
  /** For engine operations: cancellation, progress, log and passwords. */
  readonly context: OperationContext;
  /** Styles for the result's text. */
  readonly style: Style;
  /** Columns tables may use; undefined when standard output is no terminal and nothing need be cut. */
  readonly width: number | undefined;
  readonly now: () => Date;
  /** Writes lines to standard error, for what belongs to the dialogue and not to the result. */
  readonly tell: (lines: readonly string[]) => void;
  /** Asks on the terminal for a line of text; undefined when there is no terminal to ask on. */
  readonly ask: ((question: string) => Promise<string | undefined>) | undefined;
}

/** Opens the repository of the configuration; `create` makes it when there is none yet. Throws `openRepository`'s errors. */
export async function sessionRepository(session: Session, options: { readonly create: boolean }): Promise<Repository> {
  const { openRepository } = await import('../repository/repository.ts');
  return await openRepository(session.configuration.repository, options);
}

/** The instance a word of the command line means, in the session's configuration and repository. Errors as `resolveInstance`. */
export async function sessionInstance(session: Session, word: string): Promise<ResolvedInstance> {
  return await resolveInstance(session.configuration, word, session.environment, async () => {
    try {
      return await instanceWords(await sessionRepository(session, { create: false }), word, session.context.signal);
    } catch (error) {
      // Without a repository there are no instances in it; whoever needs one says so in better words.
      if (isPointbackError(error, 'repository.not-found')) return new Map();
      throw error;
    }
  });
}

/** Names of the repository's instances by name and by directory. */
async function instanceWords(
  repository: Repository,
  word: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { listBackups } = await import('../repository/catalog.ts');
  const { listInstances } = await import('../repository/instances.ts');
  const { encodeInstanceName } = await import('../repository/layout.ts');
  const options = { signal, damaged: () => undefined };
  const names = (await listInstances(repository, options)).map(({ name }) => name);
  const words = new Map(names.flatMap((name) => [[encodeInstanceName(name), name] as const, [name, name] as const]));
  // Backups count even when the instance's own record is damaged or lost: a restore must still find them.
  if (!words.has(word) && word !== '' && (await listBackups(repository, word, options)).length > 0)
    words.set(word, word);
  return words;
}
