// What each program here does with a driver: connect as DATABASE_URL says, ask one question, tell whether the server sees TLS, or how it failed.
const QUESTION = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

// What code gives to the driver beside the URL.
export const options = process.env.DRIVER_OPTIONS ? JSON.parse(process.env.DRIVER_OPTIONS) : undefined

export async function tell(ask) {
  const giveUp = setTimeout(() => report({ failed: 'no end within 20 s' }), 20_000)
  try {
    report({ tls: await ask(process.env.DATABASE_URL, QUESTION) })
  } catch (error) {
    report(failure(error))
  }
  clearTimeout(giveUp)
}

// An ORM wraps the driver's error; the innermost one is the driver's own.
function failure(error) {
  let inner = error
  const code = (e) => e.code ?? e.errno
  while (inner.cause instanceof Error || inner.driverError instanceof Error) inner = inner.cause ?? inner.driverError
  const words = inner.cause?.originalMessage ?? inner.message
  return { failed: String(words).split('\n')[0], code: inner.cause?.originalCode ?? code(inner) ?? code(error) ?? '' }
}

function report(result) {
  process.stdout.write(JSON.stringify(result) + '\n', () => process.exit(0))
}
