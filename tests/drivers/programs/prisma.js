import { PrismaPg } from '@prisma/adapter-pg'
import { tell } from './ask.js'

await tell(async (url, question) => {
  const adapter = await new PrismaPg({ connectionString: url }).connect()
  return (await adapter.queryRaw({ sql: question, args: [], argTypes: [] })).rows[0][0]
})
