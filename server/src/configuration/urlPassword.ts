/**
 * Whether a `postgresql://` URL carries a password (or the passphrase of a key). Pointback never takes one there: what is in a
 * configuration file is committed, what is in an argument is in everybody's process list. A password that was not escaped
 * counts too, even where it hides the `@` behind a slash.
 */
export function urlHasPassword(url: string): boolean {
  const rest = url.replace(/^postgres(?:ql)?:\/\//, '');
  if (/[?&](?:password|sslpassword)=[^&]/i.test(rest)) return true;
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? '';
  const at = authority.lastIndexOf('@');
  if (at !== -1) return /:./.test(authority.slice(0, at));
  const hostsWithPorts = /^(?:\[[^\]]*\]|[^:,[\]]*)(?::\d*)?(?:,(?:\[[^\]]*\]|[^:,[\]]*)(?::\d*)?)*$/;
  return rest.includes('@') && authority.includes(':') && !hostsWithPorts.test(authority);
}
