/** Starts a command in the checkout and waits for it. */
type Run = (command: string, args: string[], options?: object) => { status: number | null };

export function installNodeModules(root: string, run: Run): void;
