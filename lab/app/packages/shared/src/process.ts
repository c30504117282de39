/** The value of an environment variable that has to be there. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** An error's reason in one line. A host with several addresses fails with an error that has no message of its own, only one for each address. */
export function reason(error: unknown): string {
  if (error instanceof AggregateError && !error.message) return error.errors.map(reason).join("; ");
  return error instanceof Error ? error.message.trim() || error.name : String(error);
}

/** What the promise says, or an error if that takes too long. What was begun goes on: this only ends the waiting. */
export async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not answer within ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Run a program that ends by itself: its exit code, or 1 after an error in one line. */
export async function program(name: string, main: () => Promise<number>): Promise<never> {
  try {
    process.exit(await main());
  } catch (error) {
    console.log(`ERROR ${name}: ${reason(error)}`);
    process.exit(1);
  }
}
