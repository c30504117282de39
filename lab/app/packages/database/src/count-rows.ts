/**
 * Tell what a database holds, in one line of JSON: the migrations that it has, and how many rows each table.
 *
 * For a restored database, before it takes the place of another: DATABASE_HOST names the host to ask, all else is as in DATABASE_URL. Reads only;
 * a database that cannot be reached, or has no table of migrations, is an error.
 */

import { program, setting } from "@notes/shared";
import pg from "pg";

import { withClient } from "./index.js";

async function count(client: pg.Client): Promise<object> {
  // One view of all tables, and nothing can be written.
  await client.query("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  const migrations = await client.query("SELECT name FROM schema_migrations ORDER BY version");
  const tables = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename");
  const rows: Record<string, number> = {};
  for (const { tablename } of tables.rows) {
    const counted = await client.query(`SELECT count(*) FROM ${pg.escapeIdentifier(tablename)}`);
    rows[tablename] = Number(counted.rows[0].count);
  }
  return { migrations: migrations.rows.map(({ name }) => name), rows };
}

await program("count-rows", async () => {
  const url = new URL(setting("DATABASE_URL"));
  if (process.env.DATABASE_HOST) url.hostname = process.env.DATABASE_HOST;
  console.log(JSON.stringify(await withClient(url.href, count)));
  return 0;
});
