import knex from 'knex'
import { tell } from './ask.js'

await tell(async (url, question) => (await knex({ client: 'pg', connection: url, acquireConnectionTimeout: 15_000 }).raw(question)).rows[0].ssl)
