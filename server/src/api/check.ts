/** How much a finding matters: only an `error` keeps backups from working. */
export type FindingSeverity = 'error' | 'warning' | 'info' | 'ok';

/** One thing to do about a finding, ready to be copied or offered as a button. */
export interface Fix {
  /** What `text` is: a line of pg_hba.conf, SQL, a line of postgresql.conf, a shell command, or plain advice (`none`). */
  readonly kind: 'pg_hba-line' | 'sql' | 'setting' | 'command' | 'none';
  /** Exactly what to enter, nothing around it; for `none` a sentence. */
  readonly text: string;
  /** Where to enter it: a file and the place in it, or as whom. */
  readonly where?: string;
  /** What makes it effective afterwards. */
  readonly then?: string;
}

/** One thing the check has to say. */
export interface Finding {
  /** Stable; an `error` has the code that a failing backup reports for the same situation. */
  readonly code: string;
  readonly severity: FindingSeverity;
  /** One or two sentences. */
  readonly text: string;
  /** Alternatives or steps, the first one being the recommended or first. */
  readonly fix?: readonly Fix[];
}

/** The answer to "can this server be backed up, and if not, what is to be done?". Most important findings first. */
export interface CheckReport {
  readonly instance: string;
  /** `host:port`. */
  readonly endpoint: string;
  /** As the server writes it: `17.2 (Debian 17.2-1.pgdg120+1)`. */
  readonly serverVersion?: string;
  readonly role?: 'primary' | 'standby';
  /** Whether a physical backup can be taken: there is no `error` among the findings. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}
