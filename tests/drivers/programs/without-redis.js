// What happens without Redis, with one version of BullMQ: node without-redis.js close|command 5|6. Prints how long it took, or that it did not end.
import { setTimeout as pause } from 'node:timers/promises'

const [what, version, most] = process.argv.slice(2)
const { Queue, Worker } = await import(version === '5' ? 'bullmq5' : 'bullmq')
const { default: Redis } = await import(version === '5' ? 'ioredis5' : 'ioredis')
const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null }

const programs = {
  // A worker that was connected: Redis goes, then it is told to end.
  close: async () => {
    const worker = new Worker('mail', async () => {}, { connection })
    worker.on('error', () => {})
    await worker.waitUntilReady()
    process.stdout.write('READY\n')
    await pause(2000)
    return () => worker.close()
  },
  // A health check with ioredis as it comes.
  command: async () => {
    const redis = new Redis({ host: connection.host, port: connection.port })
    redis.on('error', () => {})
    process.stdout.write('READY\n')
    await pause(2000)
    return () => redis.ping()
  },
}

const ask = await programs[what]()
const begin = Date.now()
const outcome = await Promise.race([ask().then(() => 'ended', (error) => error.name), pause(Number(most) * 1000, 'no end')])
process.stdout.write(JSON.stringify({ outcome, seconds: Math.round((Date.now() - begin) / 1000) }) + '\n')
process.exit(0)
