// Small programs that fail, or only talk, as a service's first lines do: node lines.js NAME. What they print is what tests/drivers/lines keeps.
import { createRequire } from 'node:module'
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

const url = process.env.DATABASE_URL
const redisUrl = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379/0'
const load = async (name) => { const found = await import(name); return found.default ?? found }

async function connected(options = {}) {
  const pg = await load('pg')
  const client = new pg.Client({ connectionString: url, ...options })
  await client.connect()
  return client
}

async function caught(ask) {
  try {
    await ask()
  } catch (error) {
    return error
  }
  throw new Error('this was to fail')
}

async function bull(version) {
  return import(version === 5 ? 'bullmq5' : 'bullmq')
}

const connection = { url: redisUrl, maxRetriesPerRequest: null }

async function work(version) {
  const { Worker } = await bull(version)
  const worker = new Worker('mail', async () => {}, { connection })
  worker.on('error', (error) => console.error(error))
  await pause(1500)
  process.exit(0)
}

const programs = {
  // node-postgres, in the ways in which its failure comes into a log
  'pg-uncaught': () => connected(),
  'pg-console': async () => console.error('migration failed', await caught(connected)),
  'pg-message': async () => console.error(`cannot start: ${(await caught(connected)).message}`),
  'pg-pino': async () => (await load('pino'))().error({ err: await caught(connected) }, 'database is not there'),
  'pg-pino-fatal': async () => (await load('pino'))().fatal(await caught(connected)),
  'pg-winston': async () => {
    const winston = await load('winston')
    const format = winston.format.combine(winston.format.errors({ stack: true }), winston.format.timestamp(), winston.format.json())
    winston.createLogger({ format, transports: [new winston.transports.Console()] }).error(await caught(connected))
  },
  'pg-winston-simple': async () => {
    const winston = await load('winston')
    winston.createLogger({ format: winston.format.simple(), transports: [new winston.transports.Console()] }).error((await caught(connected)).message)
  },
  'pg-timeout': () => connected({ connectionTimeoutMillis: 1000 }),
  'pg-query': async () => { await (await connected()).query('SELECT * FROM notes') },
  'pg-pool-idle': async () => {
    const pg = await load('pg')
    const pool = new pg.Pool({ connectionString: url })
    await pool.query('SELECT 1')
    console.log('READY')
    await pause(8000)
  },
  'pg-ended': async () => {
    const client = await connected()
    console.log('READY')
    client.on('error', (error) => console.error('client error', error.message))
    await client.query('SELECT pg_sleep(8)')
  },
  'knex-uncaught': async () => { const knex = await load('knex'); await knex({ client: 'pg', connection: url }).raw('SELECT 1') },
  'mikro-orm': async () => {
    const { defineConfig, MikroORM } = await import('@mikro-orm/postgresql')
    const orm = await MikroORM.init(defineConfig({ clientUrl: url, entities: [], discovery: { warnWhenNoEntities: false }, ensureDatabase: false }))
    await orm.em.getConnection().execute('SELECT 1')
  },

  // Redis and BullMQ
  'ioredis-silent': async () => { const Redis = await load('ioredis'); new Redis(redisUrl); await pause(1500); process.exit(0) },
  'ioredis5-silent': async () => { const Redis = await load('ioredis5'); new Redis(redisUrl); await pause(1500); process.exit(0) },
  'ioredis-command': async () => {
    const Redis = await load('ioredis')
    const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1 })
    redis.on('error', (error) => console.error('redis', error))
    await redis.set('key', 'value')
    process.exit(0)
  },
  'bullmq5-worker': () => work(5),
  'bullmq6-worker': () => work(6),
  'bullmq6-add': async () => {
    const { Queue } = await bull(6)
    await new Queue('mail', { connection }).add('send', {})
    process.exit(0)
  },
  'bullmq5-retries': async () => { const { Worker } = await bull(5); new Worker('mail', async () => {}, { connection: { url: redisUrl, maxRetriesPerRequest: 20 } }) },
  'bullmq6-client': async () => {
    const { Queue } = await bull(6)
    const queue = new Queue('mail', { connection })
    console.error('health check failed', await caught(async () => { await (await queue.client).ping() }))
    process.exit(0)
  },
  'bullmq6-stalled': async () => {
    const { Queue, Worker } = await bull(6)
    const queue = new Queue('stalls', { connection })
    await queue.add('long', {})
    const options = { connection, lockDuration: 500, stalledInterval: 500, skipLockRenewal: true, maxStalledCount: 0 }
    const worker = new Worker('stalls', () => pause(2500), options)
    worker.on('failed', (job, error) => console.error(`job ${job?.id} failed:`, error.message))
    worker.on('error', (error) => console.error('worker error:', error.message))
    await pause(4000)
    process.exit(0)
  },

  // The process itself
  'missing-file': () => createRequire(import.meta.url)('./dist/main.js'),
  'missing-package': () => import('express'),
  'reject': () => { Promise.reject('no reason') },
  'reject-error': () => { Promise.reject(new TypeError('Cannot read properties of undefined (reading \'id\')')) },
  'throw': () => { setTimeout(() => { throw new RangeError('a job without a payload') }, 1) },
  'warning': () => { process.emitWarning('the option is deprecated', 'DeprecationWarning') },
  'port': () => { http.createServer().listen(Number(process.env.PORT)) },
  'heap': () => { const kept = []; for (;;) kept.push(new Array(1e6).fill(kept.length)) },
  'fetch': async () => { await fetch('http://127.0.0.1:9/') },
  'serve': () => {
    process.on('SIGTERM', () => { console.log('SIGTERM: ends its work'); setTimeout(() => { console.log('ended'); process.exit(0) }, 1000) })
    http.createServer().listen(3000, () => console.log('listens on port 3000'))
  },

  // What is no failure
  'pino-info': async () => {
    const log = (await load('pino'))()
    log.info({ errors: 0, error: null }, 'no errors in 50 jobs, error rate 0')
    log.info({ req: { method: 'GET', url: '/errors/50' }, res: { statusCode: 200 }, responseTime: 50 }, 'request completed')
    log.warn({ attempt: 1 }, 'retrying')
    log.debug('not shown')
  },
  'winston-info': async () => {
    const winston = await load('winston')
    for (const format of [winston.format.json(), winston.format.simple()]) {
      const log = winston.createLogger({ format, transports: [new winston.transports.Console()] })
      log.info('finished with 0 errors', { error: false, level50: 50 })
      log.warn('slow request')
    }
  },
  'console-info': () => {
    console.log('GET /notes 200 12ms')
    console.log('job 50 done, 0 errors')
    console.log('PUT /errors/50 204 50ms {"error":null,"level":"info"}')
    console.log('worker ready, error handler installed')
  },

  // What is one, by each way of logging
  'pino-error': async () => {
    const log = (await load('pino'))()
    log.error('payment refused')
    log.error({ err: new Error('payment refused') }, 'job failed')
    log.fatal('cannot go on')
    log.child({ job: 7 }).error({ err: new TypeError('amount is not a number') })
  },
  'winston-error': async () => {
    const winston = await load('winston')
    const json = winston.format.combine(winston.format.timestamp(), winston.format.json())
    for (const format of [winston.format.json(), json, winston.format.simple(), winston.format.cli()]) {
      const log = winston.createLogger({ levels: winston.config.cli.levels, format, transports: [new winston.transports.Console()] })
      log.error('payment refused')
    }
  },
  'console-error': () => {
    console.error(new Error('payment refused'))
    console.error('Error: payment refused')
  },
}

await programs[process.argv[2]]()
