import postgres from 'postgres'
import { options, tell } from './ask.js'

await tell(async (url, question) => (await postgres(url, { max: 1, connect_timeout: 10, ...options }).unsafe(question))[0].ssl)
