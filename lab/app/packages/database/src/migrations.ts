/** Which migrations there are, and which of them a database still needs. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FILE_NAME = /^(\d{3,})_[a-z0-9_]+\.sql$/;

export interface Migration {
  version: number;
  name: string;
  sql: string;
}

/** All migrations in the order of their numbers; two with one number, or a file of another name, are errors. */
export function readMigrations(directory: string): Migration[] {
  const found = new Map<number, Migration>();
  for (const name of readdirSync(directory).sort()) {
    const match = FILE_NAME.exec(name);
    if (!match) throw new Error(`${name} is not named NNN_what_it_does.sql`);
    const version = Number(match[1]);
    const same = found.get(version);
    if (same) throw new Error(`${name} and ${same.name} have the same number`);
    found.set(version, { version, name, sql: readFileSync(join(directory, name), "utf8") });
  }
  return [...found.values()].sort((one, other) => one.version - other.version);
}

/** What is still to be applied; a gap below what was applied is an error, since its order can no longer be kept. */
export function pending(migrations: Migration[], applied: Set<number>): Migration[] {
  const missing = migrations.filter(({ version }) => !applied.has(version));
  const newest = Math.max(0, ...applied);
  const first = missing[0];
  if (first && first.version < newest) throw new Error(`${first.name} comes before migration ${newest}, which was already applied: give it a later number`);
  return missing;
}
