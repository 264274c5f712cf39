/** Settings that lead out of a restored directory: to the original's files, or to files that were not captured. */
const leadingOutside =
  /^[ \t]*(data_directory|hba_file|ident_file|external_pid_file|include|include_dir|include_if_exists)\b/;

/**
 * A captured postgresql.conf, fit to lie in a restored data directory: lines that point to the original's places are
 * commented out. A `data_directory` left in it would make the copy's server run on the original's files.
 */
export function neutralizeConfiguration(text: string): string {
  return text
    .split('\n')
    .map((line) => (leadingOutside.test(line) ? `#(Pointback: outside this directory) ${line}` : line))
    .join('\n');
}

/** The libraries `shared_preload_libraries` names in a configuration file's text, the last setting winning. */
export function preloadLibrariesOf(text: string): string[] {
  const settings = [
    ...text.matchAll(/^[ \t]*shared_preload_libraries[ \t]*=?[ \t]*(?:'((?:[^'\\]|''|\\.)*)'|([\w.$/-]+))/gim),
  ];
  const last = settings.at(-1);
  return (last?.[1] ?? last?.[2] ?? '')
    .split(',')
    .map((name) => name.trim().replaceAll('"', ''))
    .filter((name) => name !== '');
}
