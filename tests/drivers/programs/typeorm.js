import { DataSource } from 'typeorm'
import { tell } from './ask.js'

await tell(async (url, question) => {
  const source = await new DataSource({ type: 'postgres', url }).initialize()
  return (await source.query(question))[0].ssl
})
