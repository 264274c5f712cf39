/** A word as it is typed into a POSIX shell: in quotes when it holds anything a shell would not leave alone. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
