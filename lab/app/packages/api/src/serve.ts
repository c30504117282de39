/** An HTTP server that ends as ECS wants it: on SIGTERM it takes no new connections, answers the requests it has, and ends. */

import { createServer, type IncomingMessage } from "node:http";

import type { Logger } from "@notes/shared";

import type { Answer } from "./notes.js";

// Requests in flight may take so long after SIGTERM: the task's stopTimeout is 120 s.
const GRACE = 30_000;

export interface Service {
  version: string;
  port: number;
  log: Logger;
  /** The path that the load balancer asks all the time, which nobody wants to read about. */
  healthPath: string;
  answer: (request: IncomingMessage) => Promise<Answer>;
  /** Ends what the server has open elsewhere, once the last request is answered. */
  close: () => Promise<unknown>;
}

export function serve({ version, port, log, healthPath, answer, close }: Service): void {
  const server = createServer(async (request, response) => {
    let [status, body]: Answer = [500, {}];
    try {
      [status, body] = await answer(request);
    } catch (error) {
      log.error(`${request.method} ${request.url} failed: ${error instanceof Error ? error.stack : error}`);
      body = { error: error instanceof Error ? error.constructor.name : "Error" };
    }
    if (request.url !== healthPath) log.info(`"${request.method} ${request.url}" ${status}`);
    // A connection that was kept open would keep a stopping server from its end.
    response.writeHead(status, { "Content-Type": "application/json", ...(!server.listening && { Connection: "close" }) });
    response.end(`${JSON.stringify(body)}\n`);
  });
  // Longer than the load balancer's idle timeout of 60 s: it must not send a request on a connection that this side has just closed.
  server.keepAliveTimeout = 65_000;

  function stop(): void {
    log.info("stopping: finishing the requests in flight");
    setTimeout(() => {
      log.error(`requests are still in flight after ${GRACE / 1000} s: ending without them`);
      process.exit(1);
    }, GRACE).unref();
    server.close(async () => {
      await close();
      log.info("stopped");
    });
  }
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  server.listen(port, () => log.info(`version ${version} listens on port ${port}`));
}
