/** The connection to PostgreSQL. `sslmode` and all else come from DATABASE_URL, as node-postgres reads it. */

import { logger, reason, setting } from "@notes/shared";
import pg from "pg";

const OPTIONS = {
  connectionTimeoutMillis: 5_000,
  // Without it the database works on for a client that was killed, with all the locks that it held, until the statement ends by itself.
  options: "-c client_connection_check_interval=2s",
};

/** For programs that answer many requests. A query that takes longer is an error, and its connection is given up. */
export function createPool(name: string): pg.Pool {
  const pool = new pg.Pool({ ...OPTIONS, connectionString: setting("DATABASE_URL"), query_timeout: 10_000 });
  // An idle connection that breaks, as in a failover, is replaced when it is needed; without a listener it would end the process.
  pool.on("error", (error) => logger(name).error(`an idle connection to the database broke: ${error.message}`));
  return pool;
}

/** One session for `work`, closed afterwards. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...OPTIONS, connectionString: url });
  // The query in hand fails with the same error; without a listener it would end the process before that is told.
  client.on("error", () => {});
  try {
    await client.connect().catch((error) => {
      throw new Error(`the database cannot be used: ${reason(error)}`, { cause: error });
    });
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
