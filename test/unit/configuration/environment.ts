import type { HostEnvironment } from '../../../server/src/configuration/environment.ts';

/** An environment with nothing in it, for the keys a test cares about to be added. */
export function testEnvironment(changes: Partial<HostEnvironment> = {}): HostEnvironment {
  return {
    variables: {},
    platform: 'linux',
    homeDirectory: '/home/ada',
    currentDirectory: '/work',
    ...changes,
  };
}
