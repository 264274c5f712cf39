import { includeOf, leadsOut, type IncludeLine } from '../../formats/includeLines.ts';

const marked = (line: string): string => `#(Pointback: outside this directory) ${line}`;

/** Settings that name files; as all settings they may be written in any case. */
const fileSetting =
  /^[ \t]*(data_directory|hba_file|ident_file|external_pid_file|include|include_dir|include_if_exists)\b[ \t]*=?[ \t]*'?([^'#\n]*)/i;

/**
 * A postgresql.conf that lay outside the data directory, fit to lie in a restored one: lines that name files are commented
 * out, since they point to the original's places or to files that were not captured. A `data_directory` left in it would
 * make the copy's server run on the original's files. Where `copiesOf` knows copies of the included files, lines that
 * include those follow, so that all settings keep their order.
 */
export function neutralizeConfiguration(text: string, copiesOf: (line: IncludeLine) => string[] = () => []): string {
  return mapLines(text, (line) => {
    if (!fileSetting.test(line)) return line;
    const include = includeOf(line);
    const copies = include === undefined ? [] : copiesOf(include);
    return [marked(line), ...copies.map((path) => `include '${path}'`)].join('\n');
  });
}

/**
 * A postgresql.conf that lay inside the data directory, likewise: what it includes from there still counts, but
 * `data_directory`, what leads out of the directory and includes of `absent` paths are commented out.
 */
export function confineConfiguration(text: string, absent: ReadonlySet<string> = new Set()): string {
  return mapLines(text, (line) => {
    const [, name = '', value = ''] = fileSetting.exec(line) ?? [];
    const included = includeOf(line)?.path;
    const unfit =
      name.toLowerCase() === 'data_directory' || leadsOut(value) || (included !== undefined && absent.has(included));
    return name !== '' && unfit ? marked(line) : line;
  });
}

const mapLines = (text: string, change: (line: string) => string): string => text.split('\n').map(change).join('\n');

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
