/** The notes: in the database, and their jobs on the queue. */

import { randomUUID } from "node:crypto";

import { checkWishes, noteJob, STATES, within, WishError } from "@notes/shared";
import type { Queue } from "bullmq";
import type pg from "pg";

const MAXIMUM_COUNT = 1000;
const PATIENCE = 10_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export type Answer = [status: number, body: object];

export class Notes {
  constructor(
    private readonly pool: pg.Pool,
    private readonly queue: Queue,
  ) {}

  async create(asked: unknown): Promise<Answer> {
    const given = (typeof asked === "object" && asked !== null ? asked : {}) as Record<string, unknown>;
    const { text, count = 1 } = given;
    if (typeof text !== "string" || !text) return [400, { error: 'send {"text": "..."}' }];
    if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > MAXIMUM_COUNT) {
      return [400, { error: `count is a whole number from 1 to ${MAXIMUM_COUNT}` }];
    }
    let wishes;
    try {
      wishes = checkWishes(given);
    } catch (error) {
      if (error instanceof WishError) return [400, { error: error.message }];
      throw error;
    }
    const { delay, ...rest } = wishes;
    const dueAt = delay ? new Date(Date.now() + delay * 1000) : null;
    const notes = Array.from({ length: count }, (_, number) => ({ id: randomUUID(), text: count === 1 ? text : `${text} ${number}` }));
    // In the database before the queue: what is not on the queue for whatever reason can be put there again (workers/src/reenqueue.ts).
    await this.pool.query(
      "INSERT INTO notes (id, text, wishes, due_at) SELECT id, text, $3, $4 FROM unnest($1::uuid[], $2::text[]) AS new (id, text)",
      [notes.map(({ id }) => id), notes.map(({ text }) => text), rest, dueAt],
    );
    await within(PATIENCE, "the queue", this.queue.addBulk(notes.map(({ id, text }) => noteJob(id, text, rest, dueAt))));
    return [202, { id: notes[0]?.id, status: "queued", ...(count > 1 && { ids: notes.map(({ id }) => id) }) }];
  }

  async find(id: string): Promise<Answer> {
    if (!UUID.test(id)) return [404, { error: "there is no such note" }];
    const found = await this.pool.query("SELECT text, created_at FROM notes WHERE id = $1 AND processed_at IS NOT NULL", [id]);
    if (!found.rows[0]) return [404, { error: "there is no such note, or the worker has not committed it yet" }];
    return [200, { id, ...found.rows[0] }];
  }

  /** The queue's jobs beside what the database knows: nothing is lost if all notes get processed, nothing doubled if none more than once. */
  async count(): Promise<Answer> {
    const [jobs, notes] = await Promise.all([
      within(PATIENCE, "the queue", this.queue.getJobCounts(...STATES)),
      this.pool.query(
        `SELECT count(*)::int AS all, count(processed_at)::int AS processed, count(*) FILTER (WHERE times_processed > 1)::int AS more_than_once,
                coalesce(sum(times_processed), 0)::int AS times_processed FROM notes`,
      ),
    ]);
    return [200, { ...jobs, notes: notes.rows[0] }];
  }
}
