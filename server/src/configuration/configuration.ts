import type { SslMode } from '../postgres/connectionFields.ts';
import type { CompressionSetting } from './compressionSetting.ts';

/** How backups of an instance are taken when the command does not say. */
export interface BackupSettings {
  readonly compression?: CompressionSetting;
  readonly manifestChecksums?: 'CRC32C' | 'SHA224' | 'SHA256' | 'SHA384' | 'SHA512';
  /** kB (1024 bytes) per second. */
  readonly maxRateKb?: number;
  readonly checkpoint?: 'fast' | 'spread';
  readonly label?: string;
}

/** One server of the configuration. Paths are absolute. */
export interface InstanceConfiguration {
  readonly name: string;
  /** Without a password. Absent when the parts are given. */
  readonly url?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly database?: string;
  readonly sslMode?: SslMode;
  /** A path, or `system` for the platform's own certificates. */
  readonly sslRootCert?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
  readonly passwordFile?: string;
  readonly backup: BackupSettings;
  /** Directory of the server programs of this instance's major version. */
  readonly serverBinaries?: string;
}

/** What `pointback.json` says, with defaults filled in and paths absolute. */
export interface Configuration {
  /** Absolute path of the file, undefined when there is none. */
  readonly file: string | undefined;
  /** Absolute path. */
  readonly repository: string;
  /** By name, in the file's order. */
  readonly instances: ReadonlyMap<string, InstanceConfiguration>;
  /** Directories to look for server programs in. */
  readonly serverBinaries: readonly string[];
  /** The program that runs containers and its first arguments. */
  readonly containerCommand: readonly string[];
}
