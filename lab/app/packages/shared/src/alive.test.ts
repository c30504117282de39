import assert from "node:assert/strict";
import { mkdtemp, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { signOfLife } from "./alive.js";

const well = async (): Promise<void> => {};
const unwell = async (): Promise<void> => {
  throw new Error("connection refused");
};

async function after(checks: Record<string, () => Promise<void>>): Promise<[boolean, boolean, string[]]> {
  const file = join(await mkdtemp(join(tmpdir(), "alive-")), "alive");
  const said: string[] = [];
  const alive = await signOfLife(file, checks, { info: () => {}, error: (message) => said.push(message) });
  const there = await stat(file).then(
    () => true,
    () => false,
  );
  return [alive, there, said];
}

test("the file is written when all is well", async () => {
  assert.deepEqual(await after({ database: well, redis: well }), [true, true, []]);
});

test("one check that fails is enough, and is told", async () => {
  assert.deepEqual(await after({ database: well, redis: unwell }), [false, false, ["no sign of life: connection refused"]]);
});
