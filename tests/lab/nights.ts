// Jobs of every kind for nights through ECS (test_queue_nights.py): in the place of the sample application's worker. `fill COUNT` adds them, else it works.
import { setTimeout as pause } from "node:timers/promises";

import { createPool } from "@notes/database";
import { reason, setting } from "@notes/shared";
import { FlowProducer, Queue, Worker, type Job } from "bullmq";

const [action, value = "0"] = process.argv.slice(2);
const connection = { url: setting("REDIS_URL") };
const pool = createPool("nights");

async function fill(count: number): Promise<void> {
  await pool.query("CREATE TABLE IF NOT EXISTS nights_done (id text NOT NULL, at timestamptz NOT NULL DEFAULT now())");
  const [mail, limited, flows] = [new Queue("mail", { connection }), new Queue("limited", { connection }), new FlowProducer({ connection })];
  await mail.upsertJobScheduler("tick", { every: 1000 }, { name: "tick", data: { id: "tick" }, opts: { removeOnComplete: true } });
  for (let number = 0, made = 0; made < count; number += 1) {
    const id = `job-${number}`;
    const data = { id };
    const child = `${id}-child`;
    const kind = number % 10;
    made += kind === 4 ? 2 : 1;
    if (kind < 2) await mail.add("delayed", data, { jobId: id, delay: (number * 7919) % 90_000 });
    else if (kind === 2) await mail.add("prioritized", data, { jobId: id, priority: 1 + (number % 10) });
    else if (kind === 3) await limited.add("limited", data, { jobId: id });
    else if (kind === 4) {
      const children = [{ name: "child", queueName: "mail", data: { id: child }, opts: { jobId: child } }];
      await flows.add({ name: "parent", queueName: "mail", data, opts: { jobId: id }, children });
    } else await mail.add("waiting", data, { jobId: id });
  }
  await Promise.all([mail.close(), limited.close(), flows.close(), pool.end()]);
  console.log(`added ${count} jobs`);
}

async function done(job: Job<{ id: string }>): Promise<void> {
  await pause(200);
  await pool.query("INSERT INTO nights_done (id) VALUES ($1)", [job.data.id]);
}

function work(): void {
  const options = { connection, lockDuration: 5_000, stalledInterval: 2_500, maxStalledCount: 5 };
  const workers = [
    new Worker("mail", done, { ...options, concurrency: 8 }),
    new Worker("limited", done, { ...options, concurrency: 2, limiter: { max: 10, duration: 1000 } }),
  ];
  for (const worker of workers) worker.on("error", (error) => console.error(reason(error)));
  process.once("SIGTERM", async () => {
    setTimeout(() => process.exit(1), 30_000).unref();
    await Promise.all(workers.map((worker) => worker.close()));
    await pool.end();
    console.log("stopped");
  });
}

if (action === "fill") await fill(Number(value));
else work();
