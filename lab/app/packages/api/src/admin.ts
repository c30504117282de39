/** A second service behind the same load balancer: below /admin, on port 3001, what the database knows. The load balancer hands paths on as they are. */

import type { IncomingMessage } from "node:http";

import { createPool } from "@notes/database";
import { logger } from "@notes/shared";

import { health } from "./health.js";
import type { Answer } from "./notes.js";
import { serve } from "./serve.js";

const VERSION = process.env.GIT_COMMIT ?? "unknown";
const HEALTH = "/admin/health";

const log = logger("admin");
const pool = createPool("admin");

async function answer(request: IncomingMessage): Promise<Answer> {
  if (request.url === HEALTH) return health({ database: () => pool.query("SELECT 1") }, VERSION, log);
  if (request.url !== "/admin") return [404, { error: "there is nothing here" }];
  const found = await pool.query("SELECT count(*)::int AS notes, count(processed_at)::int AS processed FROM notes");
  return [200, { name: "notes admin", version: VERSION, ...found.rows[0] }];
}

function main(): void {
  serve({ version: VERSION, port: Number(process.env.PORT ?? 3001), log, healthPath: HEALTH, answer, close: () => pool.end() });
}

main();
