/** A test that failed, or a file that did. */
export interface Failure {
  /** The names of the groups around it and its own, as a path. */
  readonly name: string;
  /** What there is to know: error, stack, the file's output. */
  readonly text: string;
}

/** A test that did not run. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

/** What running something (a test file, a check) came to. */
export interface Result {
  /** What ran, as the user would name it: a path relative to the checkout. */
  readonly subject: string;
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly skipped: readonly Skipped[];
  readonly durationMs: number;
}
