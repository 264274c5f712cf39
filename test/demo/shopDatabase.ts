import type { TestServer } from '../support/testServer.ts';

/** How large the shop is. */
export const shopSizes = { small: 20_000, medium: 300_000, large: 4_000_000 } as const;

/** A name of `shopSizes`. */
export type ShopSize = keyof typeof shopSizes;

/** What proves that a table is the same: how many rows, and a checksum over all of them. */
export interface TableDigest {
  readonly table: string;
  readonly rows: string;
  readonly checksum: string;
}

/** The tables, in the order they are shown. */
export const shopTables = ['customers', 'orders', 'items'] as const;

/** Fills the database `shop`: customers, orders and items, as many orders as the size says. */
export async function createShop(server: TestServer, size: ShopSize): Promise<void> {
  const orders = shopSizes[size];
  await server.sql('CREATE DATABASE shop');
  await server.sql(
    `CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, joined timestamptz NOT NULL);
     CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, placed timestamptz NOT NULL, total numeric(10, 2) NOT NULL);
     CREATE TABLE items (order_id bigint NOT NULL REFERENCES orders, line int NOT NULL, product text NOT NULL, quantity int NOT NULL, PRIMARY KEY (order_id, line));
     INSERT INTO customers SELECT n, 'Customer ' || n, 'customer' || n || '@example.com', timestamptz '2024-01-01' + n * interval '1 hour'
       FROM generate_series(1, ${Math.ceil(orders / 10)}) n;
     INSERT INTO orders SELECT n, 1 + n % ${Math.ceil(orders / 10)}, timestamptz '2025-01-01' + n * interval '1 minute', (random() * 500)::numeric(10, 2)
       FROM generate_series(1, ${orders}) n;
     INSERT INTO items SELECT o, l, 'product ' || md5((o * 3 + l)::text), 1 + (o + l) % 5
       FROM generate_series(1, ${orders}) o, generate_series(1, 3) l;
     ANALYZE;`,
    'shop',
  );
}

/** SQL of one table's digest: order does not matter, every column of every row does. */
export function digestQuery(table: (typeof shopTables)[number]): string {
  return `SELECT count(*)::text AS rows, to_hex((abs(sum(hashtextextended(t::text, 0))) % 281474976710656)::bigint) AS checksum FROM ${table} t`;
}
