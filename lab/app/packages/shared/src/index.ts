export * from "./alive.js";
export * from "./log.js";
export * from "./process.js";
export * from "./queue.js";
