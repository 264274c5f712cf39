import { invalidProfile, parseConnectTimeout, parsePort, parseSslMode, type SslMode } from './connectionFields.ts';
import { Secret } from './secret.ts';

/** What a URL can say of a connection. */
export interface UrlParts {
  host?: string;
  port?: number;
  user?: string;
  database?: string;
  password?: Secret;
  sslMode?: SslMode;
  sslRootCert?: string;
  sslCert?: string;
  sslKey?: string;
  sslKeyPassword?: Secret;
  passFile?: string;
  applicationName?: string;
  connectTimeoutMs?: number;
}

type Setter = (parts: UrlParts, value: string) => void;

/** The parameters of a URL that are understood; the names are libpq's. */
const setters: Readonly<Record<string, Setter>> = {
  host: (parts, value) => (parts.host = value),
  port: (parts, value) => (parts.port = parsePort(value)),
  user: (parts, value) => (parts.user = value),
  password: (parts, value) => (parts.password = new Secret(value)),
  dbname: (parts, value) => (parts.database = value),
  sslmode: (parts, value) => (parts.sslMode = parseSslMode(value)),
  sslrootcert: (parts, value) => (parts.sslRootCert = value),
  sslcert: (parts, value) => (parts.sslCert = value),
  sslkey: (parts, value) => (parts.sslKey = value),
  sslpassword: (parts, value) => (parts.sslKeyPassword = new Secret(value)),
  passfile: (parts, value) => (parts.passFile = value),
  application_name: (parts, value) => (parts.applicationName = value),
  fallback_application_name: (parts, value) => (parts.applicationName ??= value),
  connect_timeout: (parts, value) => (parts.connectTimeoutMs = parseConnectTimeout(value)),
  // The JDBC spelling, which libpq takes as well.
  ssl: (parts, value) => {
    if (value === 'true') parts.sslMode = 'require';
  },
};

/** Parameters without which the connection is as good: nothing a user relies on for safety is among them. */
const harmless = new Set([
  'keepalives',
  'keepalives_idle',
  'keepalives_interval',
  'keepalives_count',
  'client_encoding',
]);
/** Values that ask for nothing beyond what happens anyway. */
const acceptedValues: Readonly<Record<string, readonly string[]>> = {
  channel_binding: ['prefer'],
  gssencmode: ['disable', 'prefer'],
  sslnegotiation: ['postgres'],
  target_session_attrs: ['any'],
};

/**
 * Takes a connection URL apart as libpq does (PostgreSQL documentation, "Connection URIs"; fe-connect.c,
 * conninfo_uri_parse_options): the user and password end at the first `@` before a `/`.
 *
 * Throws `connection.invalid-profile`, never showing the URL, which may hold a password.
 */
export function connectionPartsOfUrl(url: string): UrlParts {
  const scheme = /^postgres(?:ql)?:\/\//.exec(url)?.[0];
  if (scheme === undefined) {
    throw invalidProfile(
      'A connection URL starts with postgresql://.',
      'Write it as postgresql://USER@HOST:PORT, for example postgresql://backup@db.example.com:5432.',
    );
  }
  const [, address = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(url.slice(scheme.length)) ?? [];
  const parts: UrlParts = {};
  const [, credentials, location = '', database] = /^(?:([^@/]*)@)?([^/]*)(?:\/(.*))?$/s.exec(address) ?? [];
  if (credentials !== undefined) readCredentials(parts, credentials);
  readLocation(parts, location);
  if (database !== undefined && database !== '') parts.database = decode(database);
  if (query !== undefined && query !== '') readQuery(parts, query);
  return parts;
}

function readCredentials(parts: UrlParts, credentials: string): void {
  const colon = credentials.indexOf(':');
  const user = colon < 0 ? credentials : credentials.slice(0, colon);
  const password = colon < 0 ? '' : credentials.slice(colon + 1);
  if (user !== '') parts.user = decode(user);
  if (password !== '') parts.password = new Secret(decode(password));
}

function readLocation(parts: UrlParts, location: string): void {
  if (location.includes(',')) {
    throw invalidProfile(
      'The URL names several hosts, and a backup comes from one server.',
      'Name one host: the primary, or the standby the backups are to come from.',
    );
  }
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(location);
  if (match === null) {
    throw invalidProfile('The host of the URL cannot be understood.', 'Write an IPv6 address in brackets: [::1]:5432.');
  }
  const host = match[1] ?? decode(match[2] ?? '');
  if (host !== '') parts.host = host;
  if (match[3] !== undefined && match[3] !== '') parts.port = parsePort(decode(match[3]));
}

function readQuery(parts: UrlParts, query: string): void {
  for (const parameter of query.split('&')) {
    const [name = '', value, ...rest] = parameter.split('=');
    if (value === undefined || rest.length > 0) {
      throw invalidProfile(
        'A parameter of the URL is not written as name=value.',
        'Parameters follow a question mark: ?sslmode=require&connect_timeout=10.',
      );
    }
    setParameter(parts, decode(name), decode(value));
  }
}

function setParameter(parts: UrlParts, name: string, value: string): void {
  const setter = Object.hasOwn(setters, name) ? setters[name] : undefined;
  if (setter !== undefined) {
    setter(parts, value);
    return;
  }
  if (harmless.has(name)) return;
  if (Object.hasOwn(acceptedValues, name) && acceptedValues[name]?.includes(value)) return;
  throw invalidProfile(
    `The URL's parameter "${name}" is not supported${Object.hasOwn(acceptedValues, name) ? ' with this value' : ''}.`,
    `Leave it out. Supported are ${Object.keys(setters).join(', ')}.`,
  );
}

function decode(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Falls through: the same words for both.
  }
  throw invalidProfile(
    'The URL has a percent sign that does not begin a percent-encoded character.',
    'Encode a literal % as %25, / as %2F, @ as %40 and : as %3A.',
  );
}
