// Jobs of every kind for the nights: node nights.js 5|6 fill COUNT | work FILE | counts. A worker writes each job that it has done as a line of FILE.
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const [version, action, value] = process.argv.slice(2)
const { FlowProducer, Queue, Worker } = await import(version === '5' ? 'bullmq5' : 'bullmq')
const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null }
const names = ['mail', 'limited']
const queues = names.map((name) => new Queue(name, { connection }))
const [mail, limited] = queues

// How a job with this number is to wait: a fifth of each hundred is delayed, and so on.
const kinds = { 0: 'delayed', 1: 'delayed', 2: 'prioritized', 3: 'limited', 4: 'flow' }

async function fill(count) {
  const flows = new FlowProducer({ connection })
  await mail.upsertJobScheduler('scheduler', { every: 1000 }, { name: 'scheduled', data: { id: 'scheduled' }, opts: { removeOnComplete: true } })
  const add = {
    waiting: (id) => mail.add('job', { id }),
    delayed: (id) => mail.add('job', { id }, { delay: (id * 7919) % 90_000 }),
    prioritized: (id) => mail.add('job', { id }, { priority: 1 + (id % 10) }),
    limited: (id) => limited.add('job', { id }),
    flow: (id) => flows.add({ name: 'parent', queueName: 'mail', data: { id }, children: [{ name: 'child', queueName: 'mail', data: { id: `${id}-child` } }] }),
  }
  // A flow is two jobs.
  for (let id = 0, made = 0; made < count; id += 1) {
    const kind = kinds[id % 10] ?? 'waiting'
    await add[kind](id)
    made += kind === 'flow' ? 2 : 1
  }
  await flows.close()
}

async function work(file) {
  const options = { connection, lockDuration: 3000, stalledInterval: 2000, maxStalledCount: 5 }
  const process_ = async (job) => {
    await pause(50)
    appendFileSync(file, `${job.data.id}\n`)
  }
  const workers = [
    new Worker('mail', process_, { ...options, concurrency: 12 }),
    new Worker('limited', process_, { ...options, concurrency: 4, limiter: { max: 20, duration: 1000 } }),
  ]
  for (const worker of workers) worker.on('error', (error) => console.error(error.message))
  process.once('SIGTERM', async () => {
    setTimeout(() => process.exit(1), 20_000).unref()
    await Promise.all(workers.map((worker) => worker.close()))
    process.exit(0)
  })
  process.stdout.write('READY\n')
  await new Promise(() => {})
}

const actions = {
  fill: () => fill(Number(value)),
  work: () => work(value),
  counts: async () => {
    const active = (await Promise.all(queues.map((queue) => queue.getActive()))).flat().map((job) => String(job.data.id))
    const counts = await Promise.all(queues.map((queue) => queue.getJobCounts()))
    process.stdout.write(JSON.stringify({ active, counts, schedulers: (await mail.getJobSchedulers()).length }) + '\n')
  },
}
await actions[action]()
process.exit(0)
