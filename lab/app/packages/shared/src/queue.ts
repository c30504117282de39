/** What the API, the worker and the re-enqueue program agree on: the queue's name and its jobs. */

import type { JobsOptions } from "bullmq";

export const QUEUE = "notes";
export const CREATE_NOTE = "create-note";
export const STATES = ["waiting", "delayed", "active", "completed", "failed"] as const;
export const ATTEMPTS = 5;
/** So many completed jobs stay on the queue to be counted. */
const KEPT = 20_000;

/** What a caller may ask of a note's job, with the largest number; the README tells what they do. */
const LARGEST = { delay: 7 * 86_400, fail: 1000, attempts: 1000, seconds: 3600 };
export type Wishes = { [name in keyof typeof LARGEST]?: number };

export interface NoteData extends Pick<Wishes, "fail" | "seconds"> {
  id: string;
  text: string;
}

export interface NoteJob {
  name: string;
  data: NoteData;
  opts: JobsOptions;
}

export class WishError extends Error {}

/** The wishes in a request; WishError if one makes no sense. */
export function checkWishes(given: Record<string, unknown>): Wishes {
  const wishes: Wishes = {};
  for (const name of Object.keys(LARGEST) as (keyof Wishes)[]) {
    const value = given[name] ?? undefined;
    if (value === undefined) continue;
    if (typeof value !== "number" || !(value >= 0 && value <= LARGEST[name])) throw new WishError(`${name} is a number from 0 to ${LARGEST[name]}`);
    if ((name === "fail" || name === "attempts") && !Number.isInteger(value)) throw new WishError(`${name} is a whole number`);
    wishes[name] = value;
  }
  if (wishes.attempts === 0) throw new WishError("attempts is 1 at least");
  return wishes;
}

/** The job of a note, as the queue takes it. Its id is the note's: the queue takes no second one while it knows the first. */
export function noteJob(id: string, text: string, wishes: Wishes, dueAt: Date | null, now = new Date()): NoteJob {
  const delay = dueAt ? dueAt.getTime() - now.getTime() : 0;
  return {
    name: CREATE_NOTE,
    data: { id, text, ...(wishes.fail && { fail: wishes.fail }), ...(wishes.seconds && { seconds: wishes.seconds }) },
    opts: {
      jobId: id,
      attempts: wishes.attempts ?? ATTEMPTS,
      backoff: { type: "exponential", delay: 500 },
      removeOnComplete: KEPT,
      ...(delay > 0 && { delay }),
    },
  };
}
