/** What a line of pg_hba.conf is to admit. */
export interface HbaAdmission {
  readonly type: 'local' | 'host' | 'hostssl';
  /** `replication` (the keyword, physical replication connections), or the database of this name. */
  readonly database: { readonly keyword: 'replication' } | { readonly name: string };
  readonly user: string;
  /** CIDR notation; none for `local`. */
  readonly address: string | undefined;
  readonly method: string;
  /** From 16 on a name that begins with a slash is a regular expression, even in quotes. Unknown counts as new. */
  readonly serverMajor: number | undefined;
}

/** Words that mean something else than themselves unless quoted (PostgreSQL documentation, "The pg_hba.conf File"). */
const databaseKeywords = new Set(['all', 'sameuser', 'samerole', 'samegroup', 'replication']);
const userKeywords = new Set(['all']);
const firstMajorWithRegularExpressions = 16;

/** The line of pg_hba.conf that admits exactly this. */
export function hbaLine({ type, database, user, address, method, serverMajor }: HbaAdmission): string {
  const databaseField =
    'keyword' in database ? database.keyword : hbaName(database.name, databaseKeywords, serverMajor);
  return [type, databaseField, hbaName(user, userKeywords, serverMajor), address, method]
    .filter((field) => field !== undefined)
    .join('  ');
}

function hbaName(name: string, keywords: ReadonlySet<string>, serverMajor: number | undefined): string {
  // A line break cannot stand in a field, quoted or not.
  if (/[\r\n]/.test(name)) return 'all';
  if (name.startsWith('/') && (serverMajor ?? firstMajorWithRegularExpressions) >= firstMajorWithRegularExpressions) {
    return quoted(`/^${name.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')}$`);
  }
  return /^[A-Za-z0-9_][A-Za-z0-9_.$-]*$/.test(name) && !keywords.has(name) ? name : quoted(name);
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** An identifier for SQL, quoted where it has to be. */
export function sqlName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoted(name);
}
