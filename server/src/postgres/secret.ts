import { inspect } from 'node:util';

/** A password that shows itself only when asked by name: String, JSON and inspect print a placeholder. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The secret itself. Hand it to the driver and to nothing else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** Whose password is wanted. */
export interface PasswordRequest {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The instance's name in the configuration, when it has one. */
  readonly instance?: string;
}

/** Where a password comes from when neither profile, environment nor passfile has one: a prompt, SecretStorage, IPC. */
export interface PasswordSource {
  /** Asked at every connection; resolves to undefined when there is none. */
  password(request: PasswordRequest, signal: AbortSignal): Promise<Secret | undefined>;
}
