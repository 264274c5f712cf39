/** What Pointback keeps of its own inside a restored data directory, in one folder so that it is easy to leave out. */
export const copyFolder = 'pointback';

/** There from the first byte of a restore to its last: a directory with it was never completed. */
export const unfinishedMarker = `${copyFolder}/unfinished`;

/** Host-based authentication of the restored copy while it is quarantined. */
export const quarantineHbaFile = `${copyFolder}/pg_hba.conf`;

/** Who may use the private socket, by operating system user. */
export const quarantineIdentFile = `${copyFolder}/pg_ident.conf`;

/** The restored copy's server log. */
export const copyLogFile = `${copyFolder}/server.log`;

/** Which backup the copy came from and which settings quarantine it. */
export const restoreRecordFile = `${copyFolder}/restore.json`;
