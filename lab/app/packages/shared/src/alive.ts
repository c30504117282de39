/** A sign of life for a process that nobody can ask over HTTP, such as a worker. */

import { writeFile } from "node:fs/promises";

import type { Logger } from "./log.js";
import { reason, within } from "./process.js";

const PATIENCE = 3_000;

/** Writes the file if every check passes in time. A container's health check looks at its age. */
export async function signOfLife(file: string, checks: Record<string, () => Promise<unknown>>, log: Logger): Promise<boolean> {
  try {
    await Promise.all(Object.entries(checks).map(([name, check]) => within(PATIENCE, name, check())));
    await writeFile(file, "");
    return true;
  } catch (error) {
    log.error(`no sign of life: ${reason(error)}`);
    return false;
  }
}

/** Does so again and again for as long as the process lives; one that hangs in its own code does it no more. */
export function showLife(file: string, every: number, checks: Record<string, () => Promise<unknown>>, log: Logger): void {
  const look = async (): Promise<void> => {
    await signOfLife(file, checks, log);
    setTimeout(look, every).unref();
  };
  void look();
}
