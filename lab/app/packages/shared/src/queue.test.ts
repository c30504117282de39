import assert from "node:assert/strict";
import { test } from "node:test";

import { checkWishes, noteJob, WishError } from "./queue.js";

const NOW = new Date("2026-03-01T00:00:00Z");
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

test("wishes that make sense are taken", () => {
  assert.deepEqual(checkWishes({ text: "x" }), {});
  assert.deepEqual(checkWishes({ text: "x", delay: 1.5, fail: 2, attempts: 3, seconds: 10 }), { delay: 1.5, fail: 2, attempts: 3, seconds: 10 });
  assert.deepEqual(checkWishes({ delay: null, fail: 0 }), { fail: 0 });
});

for (const given of [{ delay: -1 }, { delay: "1" }, { fail: 1.5 }, { fail: true }, { attempts: 0 }, { seconds: 3601 }, { attempts: 2.5 }]) {
  test(`${JSON.stringify(given)} is refused`, () => {
    assert.throws(() => checkWishes(given), WishError);
  });
}

test("a job has its note's id and five attempts", () => {
  const job = noteJob("n", "text", {}, null, NOW);
  assert.deepEqual([job.data, job.opts.jobId, job.opts.attempts, "delay" in job.opts], [{ id: "n", text: "text" }, "n", 5, false]);
});

test("the worker hears of what concerns it", () => {
  const job = noteJob("n", "text", { fail: 2, seconds: 0.5, attempts: 7 }, null, NOW);
  assert.deepEqual(job.data, { id: "n", text: "text", fail: 2, seconds: 0.5 });
  assert.equal(job.opts.attempts, 7);
});

test("a delayed note is delayed for what is left", () => {
  assert.equal(noteJob("n", "text", {}, later(90), NOW).opts.delay, 90_000);
  assert.equal(noteJob("n", "text", {}, later(0), NOW).opts.delay, undefined);
  assert.equal(noteJob("n", "text", {}, later(-86_400), NOW).opts.delay, undefined);
});
