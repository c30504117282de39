/** The API: HTTP on port 3000. */

import type { IncomingMessage } from "node:http";

import { createPool } from "@notes/database";
import { logger, QUEUE, reason, setting } from "@notes/shared";
import { Queue } from "bullmq";
import { Redis } from "ioredis";

import { checks, health } from "./health.js";
import { Notes, type Answer } from "./notes.js";
import { serve } from "./serve.js";

const VERSION = process.env.GIT_COMMIT ?? "unknown";
const MAXIMUM_BODY = 64 * 1024;

const log = logger("api");
const pool = createPool("api");
// A request is to hear soon that Redis is not there; a worker would wait for it.
const redis = new Redis(setting("REDIS_URL"), { connectTimeout: 5_000, maxRetriesPerRequest: 1 });
redis.on("error", (error) => log.error(`Redis: ${reason(error)}`));
const queue = new Queue(QUEUE, { connection: redis });
queue.on("error", (error) => log.error(`the queue: ${reason(error)}`));
const notes = new Notes(pool, queue);
const all = checks(pool, redis);

/** The request's body; undefined if it is too long. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length <= MAXIMUM_BODY) parts.push(part);
  }
  return length > MAXIMUM_BODY ? undefined : Buffer.concat(parts).toString();
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

async function answer(request: IncomingMessage): Promise<Answer> {
  const path = request.url?.split("?")[0] ?? "/";
  if (request.method === "POST" && path === "/notes") {
    const body = await read(request);
    return body === undefined ? [413, { error: "a note has 64 KiB at most" }] : notes.create(parsed(body));
  }
  if (request.method !== "GET") return [404, { error: "there is nothing here" }];
  if (path === "/health") return health(all, VERSION, log);
  if (path === "/") return [200, { name: "notes", version: VERSION }];
  if (path === "/jobs") return notes.count();
  if (path.startsWith("/notes/")) return notes.find(path.slice("/notes/".length));
  return [404, { error: "there is nothing here" }];
}

async function close(): Promise<void> {
  await Promise.allSettled([queue.close(), pool.end()]);
  redis.disconnect();
}

function main(): void {
  serve({ version: VERSION, port: Number(process.env.PORT ?? 3000), log, healthPath: "/health", answer, close });
}

main();
