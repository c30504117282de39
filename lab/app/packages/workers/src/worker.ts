/**
 * The worker: takes jobs from the queue and commits their rows.
 *
 * On SIGTERM it takes no other job, finishes the one it has, and gives it back if that takes too long: the job is waiting again, with no
 * attempt counted, and nobody has to wait for its lock to run out. A worker that is killed leaves its job active; another one takes it up
 * when the lock has run out. Writing a note twice is harmless, and counted.
 */

import { setTimeout as sleep } from "node:timers/promises";

import { createPool } from "@notes/database";
import { ATTEMPTS, CREATE_NOTE, logger, QUEUE, reason, setting, showLife, type NoteData } from "@notes/shared";
import { Worker, WaitingError, type Job } from "bullmq";
import { Redis } from "ioredis";

const VERSION = process.env.GIT_COMMIT ?? "unknown";
// How long a stopping worker goes on with its job, and how long it may take altogether: the task's stopTimeout is 120 s.
const PATIENCE = Number(process.env.WORKER_PATIENCE ?? 30) * 1000;
const GRACE = PATIENCE + 30_000;
// What the container's health check looks at (README), and how often it is written.
const ALIVE_FILE = "/tmp/alive";
const ALIVE_EVERY = 5_000;

const log = logger("worker");
const pool = createPool("worker");

/** The note is processed. Its row is there already, unless the database was brought back to a moment before it. */
async function commit({ id, text, ...wishes }: NoteData): Promise<void> {
  await pool.query(
    `INSERT INTO notes AS known (id, text, wishes, processed_at, times_processed) VALUES ($1, $2, $3, now(), 1) ON CONFLICT (id) DO UPDATE
     SET processed_at = coalesce(known.processed_at, now()), times_processed = known.times_processed + 1`,
    [id, text, wishes],
  );
}

async function work(job: Job<NoteData>, token?: string, signal?: AbortSignal): Promise<string> {
  if (job.name !== CREATE_NOTE) throw new Error(`there is no job named ${job.name}`);
  const { id, seconds = 0, fail = 0 } = job.data;
  try {
    await sleep(seconds * 1000, undefined, { signal });
  } catch {
    await job.moveToWait(token);
    log.info(`gave back note ${id}`);
    throw new WaitingError("given back");
  }
  if (job.attemptsMade < fail) throw new Error(`attempt ${job.attemptsMade + 1} fails, as was asked for`);
  await commit(job.data);
  log.info(`committed note ${id}`);
  return id;
}

const worker = new Worker(QUEUE, work, {
  connection: { url: setting("REDIS_URL") },
  autorun: false,
  lockDuration: 10_000,
  stalledInterval: 5_000,
  // By default a job whose worker was killed twice is failed, whatever its attempts.
  maxStalledCount: ATTEMPTS,
});
worker.on("failed", (job, error) => log.error(`job ${job?.id} failed: ${error.message}`));
worker.on("error", (error) => log.error(reason(error)));

// The worker's own connections wait for Redis as long as it takes: this one says so.
const redis = new Redis(setting("REDIS_URL"), { connectTimeout: 2_500, maxRetriesPerRequest: 0 });
redis.on("error", (error) => log.error(`Redis: ${reason(error)}`));
const checks = {
  database: () => pool.query("SELECT 1"),
  redis: () => redis.ping(),
  worker: async () => {
    if (!worker.isRunning() && !worker.closing) throw new Error("the worker takes no jobs");
  },
};

async function stop(): Promise<void> {
  log.info("stopping: finishing the job in hand");
  setTimeout(() => worker.cancelAllJobs("the worker stops"), PATIENCE).unref();
  // close() waits for Redis, for ever if need be: without an end of its own the process would be killed after stopTimeout.
  setTimeout(() => {
    log.error("the worker could not be closed: another one will take up its job");
    process.exit(1);
  }, GRACE).unref();
  await worker.close();
  redis.disconnect();
  await pool.end();
  log.info("stopped");
}

async function main(): Promise<void> {
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  log.info(`version ${VERSION} takes jobs from queue ${QUEUE}`);
  const ended = worker.run();
  showLife(ALIVE_FILE, ALIVE_EVERY, checks, log);
  await ended;
}

await main();
