import pg from 'pg'
import { tell } from './ask.js'

await tell(async (url, question) => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return (await client.query(question)).rows[0].ssl
})
