import { defineConfig, MikroORM } from '@mikro-orm/postgresql'
import { tell } from './ask.js'

// What DRIVER_OPTIONS says goes to pg as it is: MikroORM takes host, port, user, password and database out of the URL, and drops the rest of it.
const driverOptions = process.env.DRIVER_OPTIONS ? JSON.parse(process.env.DRIVER_OPTIONS) : undefined

await tell(async (url, question) => {
  const options = { clientUrl: url, driverOptions, discovery: { warnWhenNoEntities: false }, entities: [], ensureDatabase: false, logger: () => {} }
  const orm = await MikroORM.init(defineConfig(options))
  return (await orm.em.getConnection().execute(question))[0].ssl
})
