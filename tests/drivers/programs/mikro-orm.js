import { defineConfig, MikroORM } from '@mikro-orm/postgresql'
import { options, tell } from './ask.js'

// MikroORM takes host, port, user, password and database out of the URL, and drops the rest of it.
await tell(async (url, question) => {
  const all = { clientUrl: url, driverOptions: options, discovery: { warnWhenNoEntities: false }, entities: [], ensureDatabase: false, logger: () => {} }
  const orm = await MikroORM.init(defineConfig(all))
  return (await orm.em.getConnection().execute(question))[0].ssl
})
