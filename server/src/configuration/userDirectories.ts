import { posix, win32 } from 'node:path';
import type { HostEnvironment } from './environment.ts';

/** The directory of the user's own configuration of Pointback, as the platform wants it. It need not exist. */
export function userConfigurationDirectory(environment: HostEnvironment): string {
  return userDirectory(environment, {
    xdgVariable: 'XDG_CONFIG_HOME',
    xdgDefault: '.config',
    windowsVariable: 'APPDATA',
    windowsDefault: ['AppData', 'Roaming'],
  });
}

/** The directory of the user's data of Pointback, where the default repository lies. It need not exist. */
export function userDataDirectory(environment: HostEnvironment): string {
  return userDirectory(environment, {
    xdgVariable: 'XDG_DATA_HOME',
    xdgDefault: '.local/share',
    windowsVariable: 'LOCALAPPDATA',
    windowsDefault: ['AppData', 'Local'],
  });
}

interface Conventions {
  readonly xdgVariable: string;
  readonly xdgDefault: string;
  readonly windowsVariable: string;
  readonly windowsDefault: readonly string[];
}

function userDirectory(environment: HostEnvironment, conventions: Conventions): string {
  const { variables, homeDirectory } = environment;
  if (environment.platform === 'win32') {
    const base = variables[conventions.windowsVariable] ?? '';
    return win32.join(base === '' ? win32.join(homeDirectory, ...conventions.windowsDefault) : base, 'pointback');
  }
  // The XDG specification: a relative path is invalid and counts as unset. Someone who sets the variable on macOS means it.
  const xdg = variables[conventions.xdgVariable];
  if (xdg !== undefined && posix.isAbsolute(xdg)) return posix.join(xdg, 'pointback');
  if (environment.platform === 'darwin') {
    return posix.join(homeDirectory, 'Library', 'Application Support', 'pointback');
  }
  return posix.join(homeDirectory, conventions.xdgDefault, 'pointback');
}
