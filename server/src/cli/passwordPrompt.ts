import { Secret } from '../postgres/secret.ts';
import type { PasswordRequest, PasswordSource } from '../postgres/secret.ts';

/** Shows a question without echoing the answer; undefined at the end of input. */
export type AskHidden = (question: string, signal: AbortSignal) => Promise<string | undefined>;

/**
 * Asks for passwords on the terminal, once for each server and role however many connections are made, one question at a time.
 * Without a terminal (`ask` undefined) it has none, and the connection's own error says what to do.
 */
export class PromptedPasswords implements PasswordSource {
  readonly #ask: AskHidden | undefined;
  readonly #answers = new Map<string, Promise<Secret | undefined>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(ask: AskHidden | undefined) {
    this.#ask = ask;
  }

  password(request: PasswordRequest, signal: AbortSignal): Promise<Secret | undefined> {
    const ask = this.#ask;
    if (ask === undefined) return Promise.resolve(undefined);
    const key = JSON.stringify([request.host, request.port, request.user]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#last.then(async () => {
      const typed = await ask(`Password of ${request.user} at ${request.host}:${request.port}: `, signal);
      return typed === undefined || typed === '' ? undefined : new Secret(typed);
    });
    this.#answers.set(key, answer);
    this.#last = answer.catch(() => {
      // Only a given answer counts: after a cancelled question the next connection may ask again.
      this.#answers.delete(key);
    });
    return answer;
  }
}
