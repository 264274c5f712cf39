import { homedir } from 'node:os';

/** What the configuration needs to know about the process and its user; tests make their own. */
export interface HostEnvironment {
  /** Environment variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly homeDirectory: string;
  readonly currentDirectory: string;
}

/** The environment of this process. */
export function hostEnvironment(): HostEnvironment {
  return {
    variables: process.env,
    platform: process.platform,
    homeDirectory: homedir(),
    currentDirectory: process.cwd(),
  };
}
