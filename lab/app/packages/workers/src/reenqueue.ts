/**
 * Put every note that the database knows as not processed back on the queue, once.
 *
 * For a queue that was lost: Redis came back empty, or from an older snapshot. A note whose job the queue still has, in whatever state, is
 * left alone, so it may be run at any time and as often as one likes, beside running workers too. A note that was to be delayed is
 * delayed for what is left of it.
 */

import { withClient } from "@notes/database";
import { noteJob, program, QUEUE, reason, setting, within } from "@notes/shared";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import type pg from "pg";

const BATCH = 500;
const PATIENCE = 10_000;

/** How many of these notes had no job any more. */
async function putBack(queue: Queue, notes: { id: string; text: string; wishes: object; due_at: Date | null }[]): Promise<number> {
  const states = await within(PATIENCE, "the queue", Promise.all(notes.map(({ id }) => queue.getJobState(id))));
  const missing = notes.filter((_, number) => states[number] === "unknown");
  // What is left of a job that is on no list (of a queue that BullMQ 6 paused and 5 resumed, say) would keep its id taken.
  await within(PATIENCE, "the queue", Promise.all(missing.map(({ id }) => queue.remove(id))));
  // The queue itself takes no second job of an id that it knows: who was faster does not matter.
  await within(PATIENCE, "the queue", queue.addBulk(missing.map(({ id, text, wishes, due_at }) => noteJob(id, text, wishes, due_at))));
  return missing.length;
}

/** Batch after batch of one view of the table. */
async function* notProcessed(client: pg.Client) {
  await client.query("BEGIN");
  await client.query(
    "DECLARE not_processed CURSOR FOR SELECT id, text, wishes, due_at FROM notes WHERE processed_at IS NULL ORDER BY created_at, id",
  );
  for (;;) {
    const { rows } = await client.query(`FETCH ${BATCH} FROM not_processed`);
    if (rows.length === 0) return;
    yield rows;
  }
}

await program("reenqueue", async () => {
  const redis = new Redis(setting("REDIS_URL"), { connectTimeout: 5_000, maxRetriesPerRequest: 1 });
  // What was asked of Redis fails too, but with the number of attempts for a reason.
  redis.on("error", (error) => console.log(`ERROR reenqueue: Redis: ${reason(error)}`));
  await within(PATIENCE, "Redis", redis.ping()).catch((error) => {
    throw new Error(`Redis cannot be used: ${reason(error)}`);
  });
  const queue = new Queue(QUEUE, { connection: redis });
  let found = 0;
  let back = 0;
  await withClient(setting("DATABASE_URL"), async (client) => {
    for await (const notes of notProcessed(client)) {
      found += notes.length;
      back += await putBack(queue, notes);
    }
  });
  console.log(`INFO reenqueue: ${found} notes are not processed: ${back} put back, ${found - back} were on the queue`);
  return 0;
});
