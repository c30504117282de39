export type Logger = Record<"info" | "error", (message: string) => void>;

/** Lines like `2026-03-01T12:00:00Z INFO api: message`, to standard output, where the container's log driver takes them. */
export function logger(name: string): Logger {
  const write = (level: string) => (message: string) => console.log(`${new Date().toISOString().slice(0, 19)}Z ${level} ${name}: ${message}`);
  return { info: write("INFO"), error: write("ERROR") };
}
