import { printable } from '../api/format.ts';
import { shortened, textWidth } from './textWidth.ts';

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers read better at the right. */
  readonly align?: 'right';
  /** Left out where the table is too wide, the lowest number first; columns without it stay. */
  readonly rank?: number;
}

const gap = '  ';
/** What the last column, which is cut where room is short, keeps. */
const leastLastWidth = 5;

/**
 * Lines of a table: cells two spaces apart. With a `width`, columns of low rank are left out until the others fit, and the last
 * column is cut. Cells are made printable.
 */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], width?: number): string[] {
  const filled = columns.map((column, index) => {
    const cells = [column.title, ...rows.map((row) => printable(row[index] ?? ''))];
    return { column, cells, width: Math.max(...cells.map(textWidth)) };
  });
  const shown = width === undefined ? filled : fitting(filled, width);
  return [undefined, ...rows].map((_, line) => {
    const text = shown.map(({ column, cells, width: room }) => padded(cells[line] ?? '', room, column.align)).join(gap);
    return width === undefined ? text.trimEnd() : shortened(text.trimEnd(), width);
  });
}

interface FilledColumn {
  readonly column: Column;
  readonly cells: readonly string[];
  readonly width: number;
}

function fitting(columns: readonly FilledColumn[], width: number): readonly FilledColumn[] {
  const last = columns.at(-1);
  const needed = columns.reduce(
    (sum, column) => sum + gap.length + (column === last ? Math.min(column.width, leastLastWidth) : column.width),
    -gap.length,
  );
  const ranks = columns.flatMap(({ column }) => (column.rank === undefined ? [] : [column.rank]));
  if (needed <= width || ranks.length === 0) return columns;
  const lowest = Math.min(...ranks);
  return fitting(
    columns.filter(({ column }) => column.rank !== lowest),
    width,
  );
}

function padded(cell: string, width: number, align: 'right' | undefined): string {
  const padding = ' '.repeat(width - textWidth(cell));
  return align === 'right' ? padding + cell : cell + padding;
}
