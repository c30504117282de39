import assert from "node:assert/strict";
import { test } from "node:test";

import { reason, within } from "./process.js";

test("an error of several addresses tells each one's reason", () => {
  assert.equal(reason(new AggregateError([new Error("connect ECONNREFUSED ::1:5432"), new Error("connect ECONNREFUSED 127.0.0.1:5432")])),
    "connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432");
});

test("what does not answer is an error that names it", async () => {
  await assert.rejects(within(10, "Redis", new Promise(() => {})), /Redis did not answer within 0.01 s/);
  assert.equal(await within(10_000, "Redis", Promise.resolve("PONG")), "PONG");
});
