import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The Node that npm brought into a folder with node_modules; undefined when it has none. */
export function bundledNode(root) {
  const path = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  return existsSync(path) ? path : undefined;
}

/**
 * Runs a program with the given Node in place of this process: it has its input and output, gets its signals, and this
 * process ends as it did, with its exit code or by its signal.
 */
export function runWithNode(node, args, options = {}) {
  const child = spawn(node, args, { stdio: 'inherit', ...options });
  const listeners = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    // Ctrl-C reaches every process of the terminal's foreground group, so the child has had it already; and a second one
    // would mean more than the first.
    const hadIt = signal === 'SIGINT' && [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
    const listener = () => hadIt || child.kill(signal);
    process.on(signal, listener);
    return { signal, listener };
  });
  child.once('error', (error) => {
    console.error(`${node} cannot be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.once('exit', (code, endSignal) => {
    for (const { signal, listener } of listeners) process.off(signal, listener);
    if (endSignal === null) process.exitCode = code;
    else process.kill(process.pid, endSignal);
  });
}
