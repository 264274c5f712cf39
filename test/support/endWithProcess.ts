const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What is still to be done when this process ends. One set of listeners serves them all. */
const actions = new Set<() => void>();

function runAll(): void {
  // The latest first: a server ends before its directory goes.
  for (const action of [...actions].reverse()) action();
  actions.clear();
}

function onSignal(signal: NodeJS.Signals): void {
  runAll();
  stopListening();
  process.kill(process.pid, signal);
}

function stopListening(): void {
  process.off('exit', runAll);
  for (const signal of signals) process.off(signal, onSignal);
}

/**
 * Runs `action`, which is synchronous, when this process ends without having called the function returned: by an uncaught
 * error, by `process.exit`, or by a signal, which then ends the process as it would have.
 */
export function endWithProcess(action: () => void): () => void {
  if (actions.size === 0) {
    process.on('exit', runAll);
    for (const signal of signals) process.on(signal, onSignal);
  }
  actions.add(action);
  return () => {
    actions.delete(action);
    if (actions.size === 0) stopListening();
  };
}
