import type { ProcessIdentity, Processes } from '../../server/src/repository/lock/processIdentity.ts';

/** A machine with processes that a test starts and kills. */
export class FakeMachine {
  readonly #host: string;
  readonly #dead = new Set<number>();

  constructor(host = 'db1') {
    this.#host = host;
  }

  /** The process of that id, as it sees itself and others. */
  process(pid: number): Processes {
    const identity: ProcessIdentity = { host: this.#host, pid, origin: this.#host, processStart: `start ${pid}` };
    return {
      self: () => Promise.resolve(identity),
      isCertainlyDead: (owner) => Promise.resolve(owner.origin === this.#host && this.#dead.has(owner.pid)),
    };
  }

  kill(pid: number): void {
    this.#dead.add(pid);
  }
}
