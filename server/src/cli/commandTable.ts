import type { Command } from './command.ts';
import { backupCommand } from './commands/backup.ts';
import { checkCommand } from './commands/check.ts';
import { deleteCommand } from './commands/delete.ts';
import { listCommand } from './commands/list.ts';
import { restoreCommand } from './commands/restore.ts';
import { verifyCommand } from './commands/verify.ts';

/** Every command, in the order a user meets them. */
export const commands: readonly Command[] = [
  checkCommand,
  backupCommand,
  listCommand,
  verifyCommand,
  restoreCommand,
  deleteCommand,
];
