/**
 * Apply the migrations that this database does not have yet: in order, each in a transaction of its own.
 *
 * Two runs at once are safe: the second waits for the first. A migration that fails, or is stopped (SIGTERM), leaves nothing of itself behind,
 * and the program ends with exit code 1; run it again once the migration is mended.
 */

import { join } from "node:path";

import { program, reason, setting } from "@notes/shared";
import type pg from "pg";

import { withClient } from "./index.js";
import { pending, readMigrations, type Migration } from "./migrations.js";

const DIRECTORY = join(import.meta.dirname, "../migrations");
// Any number will do, as long as every release uses the same.
const LOCK = 7_263_514;

let stopping = false;

function say(text: string): void {
  console.log(`INFO migrate: ${text}`);
}

async function migrate(client: pg.Client, migrations: Migration[]): Promise<number> {
  const lock = await client.query("SELECT pg_try_advisory_lock($1) AS taken", [LOCK]);
  if (!lock.rows[0].taken) {
    say("another migration is at work; waiting for its end");
    await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
  }
  await client.query("CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())");
  const applied = await client.query("SELECT version FROM schema_migrations");
  const missing = pending(migrations, new Set(applied.rows.map(({ version }) => version)));
  for (const migration of missing) {
    if (stopping) throw new Error(`was told to stop before ${migration.name}`);
    const started = performance.now();
    await apply(client, migration).catch((error) => {
      throw new Error(`${migration.name} failed and was rolled back: ${reason(error)}`);
    });
    say(`applied ${migration.name} in ${((performance.now() - started) / 1000).toFixed(2)} s`);
  }
  return missing.length;
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query(migration.sql);
    await client.query("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", [migration.version, migration.name]);
    await client.query("COMMIT");
  } catch (error) {
    // Where the connection is gone, the database rolls back by itself.
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

/** At SIGTERM the statement that runs is cancelled: it would go on in the database, and hold the lock, when this program is gone. */
async function stopAtSigterm(client: pg.Client, url: string): Promise<void> {
  const session = (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
  process.once("SIGTERM", () => {
    stopping = true;
    // On a connection of its own: the first one waits for the statement.
    withClient(url, (other) => other.query("SELECT pg_cancel_backend($1)", [session])).catch((error) => {
      console.log(`ERROR migrate: the statement could not be cancelled: ${reason(error)}`);
      process.exit(1);
    });
  });
}

await program("migrate", async () => {
  const url = setting("DATABASE_URL");
  const migrations = readMigrations(DIRECTORY);
  const count = await withClient(url, async (client) => {
    await stopAtSigterm(client, url);
    return migrate(client, migrations);
  });
  say(`${count} applied, ${migrations.length} in all: the schema is up to date`);
  return 0;
});
