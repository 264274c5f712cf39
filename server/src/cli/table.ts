import { printable } from './format.ts';
import { shortened, textWidth } from './textWidth.ts';

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers read better at the right. */
  readonly align?: 'right';
}

/**
 * Lines of a table: cells two spaces apart, the last column cut to fit `width` when one is given. Cells are made printable.
 */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], width?: number): string[] {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => textWidth(row[index] ?? ''))));
  return cells.map((row) => {
    const line = columns
      .map((column, index) => {
        const cell = row[index] ?? '';
        const room = widths[index] ?? 0;
        const padding = ' '.repeat(room - textWidth(cell));
        return column.align === 'right' ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
    return width === undefined ? line : shortened(line, width);
  });
}
