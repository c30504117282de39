/** Is this process able to do its work? Each check has an answer of its own, in less time than the load balancer waits (5 s). */

import { reason, within, type Logger } from "@notes/shared";
import type { Redis } from "ioredis";
import type pg from "pg";

// ioredis alone would try for over a minute before it says that Redis is not there.
const PATIENCE = 3_000;

export type Checks = Record<string, () => Promise<unknown>>;

export const checks = (pool: pg.Pool, redis: Redis): Checks => ({
  database: () => pool.query("SELECT 1"),
  redis: () => redis.ping(),
});

export async function health(all: Checks, version: string, log: Logger): Promise<[number, Record<string, string>]> {
  const answers = await Promise.all(
    Object.entries(all).map(async ([name, check]): Promise<[string, string]> => {
      try {
        await within(PATIENCE, name, check());
        return [name, "ok"];
      } catch (error) {
        log.error(`the ${name} check failed: ${reason(error)}`);
        return [name, "failed"];
      }
    }),
  );
  const failed = answers.filter(([, answer]) => answer !== "ok").map(([name]) => name);
  return [failed.length ? 503 : 200, { status: failed.length ? `failed: ${failed.join(", ")}` : "ok", version, ...Object.fromEntries(answers) }];
}
