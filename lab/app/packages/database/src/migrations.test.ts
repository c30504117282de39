import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { pending, readMigrations } from "./migrations.js";

function written(...names: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), "migrations-"));
  for (const name of names) writeFileSync(join(directory, name), "SELECT 1;");
  return directory;
}

const versions = (migrations: { version: number }[]) => migrations.map(({ version }) => version);

test("they come in the order of their numbers", () => {
  assert.deepEqual(versions(readMigrations(written("010_c.sql", "002_b.sql", "1000_d.sql", "001_a.sql"))), [1, 2, 10, 1000]);
});

for (const names of [["1_short.sql"], ["001_a.sql", "readme.md"], ["001_a.sql", "001_b.sql"]]) {
  test(`${names.join(" and ")} have no clear order`, () => {
    assert.throws(() => readMigrations(written(...names)));
  });
}

test("only what was not applied is pending", () => {
  const found = readMigrations(written("001_a.sql", "002_b.sql", "003_c.sql"));
  assert.deepEqual(versions(pending(found, new Set([1]))), [2, 3]);
  assert.deepEqual(pending(found, new Set([1, 2, 3])), []);
  assert.equal(pending(found, new Set()).length, 3);
});

test("a database that is ahead is fine", () => {
  assert.deepEqual(pending(readMigrations(written("001_a.sql")), new Set([1, 2])), []);
});

test("one that comes before an applied one is refused", () => {
  const found = readMigrations(written("001_a.sql", "002_late.sql", "003_c.sql"));
  assert.throws(() => pending(found, new Set([1, 3])), /002_late.sql comes before migration 3/);
});

test("the application's own migrations are in order", () => {
  assert.deepEqual(versions(readMigrations(join(import.meta.dirname, "../migrations"))), [1, 2, 3]);
});
