import pg from 'pg'
import { options, tell } from './ask.js'

await tell(async (url, question) => {
  const client = new pg.Client({ connectionString: url, ...options })
  await client.connect()
  return (await client.query(question)).rows[0].ssl
})
