// Does things to a queue with one version of BullMQ: node queue.js 5|6 NAME '[["add", 3], ["pause"], ...]'. Prints what each did, as JSON.
import { setTimeout as pause } from 'node:timers/promises'

const [version, name, list] = process.argv.slice(2)
const { FlowProducer, Queue, Worker } = await import(version === '5' ? 'bullmq5' : 'bullmq')
const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null }
const queue = new Queue(name, { connection })
queue.on('error', (error) => console.error(error.message))

// What the next worker has beside BullMQ's own: maxStalledCount.
let stalled = {}

const actions = {
  stalls: async (count) => { stalled = { maxStalledCount: count } },
  // kind: how the job is to wait
  add: async (count, kind = 'waiting') => {
    const options = { delayed: { delay: 1500 }, prioritized: { priority: 5 }, waiting: {} }[kind]
    for (let n = 0; n < count; n += 1) await queue.add('job', { by: version, kind }, options)
    return count
  },
  // One with an id of its own
  addId: async (id) => { await queue.add('job', { by: version, kind: 'named' }, { jobId: id }) },
  state: async (id) => (await queue.getJob(id)).getState(),
  remove: async (id) => (await queue.getJob(id)).remove(),
  // One that would be tried so often
  attempts: async (attempts) => { await queue.add('job', { by: version, kind: 'tried' }, { attempts }) },
  failed: async () => (await queue.getFailed()).map((job) => job.failedReason),
  wait: async (milliseconds) => { await pause(milliseconds) },
  flow: async (count) => {
    const flows = new FlowProducer({ connection })
    for (let n = 0; n < count; n += 1) {
      await flows.add({ name: 'parent', queueName: name, data: { by: version, kind: 'parent' }, children: [{ name: 'child', queueName: name, data: { by: version, kind: 'child' } }] })
    }
    await flows.close()
    return count
  },
  repeat: async (every) => { await queue.add('repeated', { by: version, kind: 'repeated' }, { repeat: { every } }) },
  schedule: async (every) => { await queue.upsertJobScheduler('scheduler', { every }, { name: 'scheduled', data: { by: version, kind: 'scheduled' } }) },
  unschedule: async () => queue.removeJobScheduler('scheduler'),
  pause: async () => queue.pause(),
  resume: async () => queue.resume(),
  counts: async () => queue.getJobCounts(),
  isPaused: async () => queue.isPaused(),
  schedulers: async () => (await queue.getJobSchedulers()).length,
  // {kind: how many were done}; limit: a second
  work: async (milliseconds, limit = 0) => {
    const done = {}
    const options = { connection, concurrency: 5, lockDuration: 1000, stalledInterval: 1000, ...stalled, ...(limit ? { limiter: { max: limit, duration: 1000 } } : {}) }
    const worker = new Worker(name, async (job) => { done[job.data.kind] = (done[job.data.kind] ?? 0) + 1 }, options)
    worker.on('error', (error) => console.error(error.message))
    await pause(milliseconds)
    await worker.close()
    return done
  },
  // Takes a job and is killed at it.
  die: async () => {
    const kill = async () => { process.stdout.write('[]\n'); process.kill(process.pid, 'SIGKILL'); await pause(1000) }
    new Worker(name, kill, { connection, lockDuration: 1000, stalledInterval: 1000, ...stalled }).on('error', () => {})
    await pause(10_000)
  },
}

const results = []
for (const [action, ...values] of JSON.parse(list)) {
  const result = await actions[action](...values)
  if (result !== undefined && result !== null) results.push({ [action]: result })
}
process.stdout.write(JSON.stringify(results) + '\n')
await queue.close()
process.exit(0)
