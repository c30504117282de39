import assert from "node:assert/strict";
import { test } from "node:test";

import { health } from "./health.js";

const lines: string[] = [];
const log = { info: () => {}, error: (line: string) => void lines.push(line) };

test("all is well when every check is", async () => {
  const [status, body] = await health({ database: async () => 1, redis: async () => "PONG" }, "one", log);
  assert.deepEqual([status, body], [200, { status: "ok", version: "one", database: "ok", redis: "ok" }]);
});

test("what failed is named, and its reason is logged", async () => {
  const [status, body] = await health({ database: async () => 1, redis: () => Promise.reject(new Error("ECONNREFUSED")) }, "one", log);
  assert.deepEqual([status, body], [503, { status: "failed: redis", version: "one", database: "ok", redis: "failed" }]);
  assert.deepEqual(lines, ["the redis check failed: ECONNREFUSED"]);
});
