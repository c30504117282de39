/**
 * Make the database's users, and shut them out: for the rotation of the database's password.
 *
 *     users.js prepare OWNER    the role OWNER owns what is in the database; the user of DATABASE_URL_NEXT works as it, with the password there
 *     users.js retire USER      that user can log in no more, and its sessions end
 *
 * Both connect as the user of DATABASE_ADMIN_URL, which need not be a superuser: on RDS it is not. Both may be repeated at any time, beside
 * running programs. Passwords come from the environment and go to the server as SCRAM verifiers only: what logs statements learns none.
 */

import { setTimeout as sleep } from "node:timers/promises";

import { program, setting } from "@notes/shared";
import pg from "pg";

import { withClient } from "./index.js";
import { scramVerifier } from "./scram.js";

const { escapeIdentifier: identifier, escapeLiteral: literal } = pg;

// A lock that is not to be had at once is given up, so that nobody queues behind it for long; then it is tried again.
const LOCK_TIMEOUT = "2s";
const ATTEMPTS = 30;
// A password that was just changed may take a moment.
const PATIENCE = 60_000;

const LOCK_NOT_AVAILABLE = "55P03";
const INSUFFICIENT_PRIVILEGE = "42501";

// What belongs to the database's users so far and is nobody else's business: no system's, no extension's, and no part of another thing
// (a column's sequence goes with its table, an array type with its element's).
const FOREIGN = `
    SELECT format('ALTER %s %I.%I OWNER TO', kinds.words, nspname, relname) AS alter_owner
      FROM pg_class AS thing JOIN pg_namespace ON pg_namespace.oid = relnamespace
      JOIN (VALUES ('r', 'TABLE'), ('p', 'TABLE'), ('f', 'FOREIGN TABLE'), ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW'), ('S', 'SEQUENCE'))
           AS kinds (kind, words) ON kind = relkind::text
     WHERE pg_get_userbyid(relowner) = ANY($1) AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = thing.oid
                          AND (deptype = 'e' OR relkind = 'S' AND deptype IN ('a', 'i')))
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO', thing.oid::regprocedure)
      FROM pg_proc AS thing JOIN pg_namespace ON pg_namespace.oid = pronamespace
     WHERE pg_get_userbyid(proowner) = ANY($1) AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = thing.oid AND deptype = 'e')
    UNION ALL
    SELECT format('ALTER TYPE %I.%I OWNER TO', nspname, typname)
      FROM pg_type AS thing JOIN pg_namespace ON pg_namespace.oid = typnamespace LEFT JOIN pg_class ON pg_class.oid = typrelid
     WHERE pg_get_userbyid(typowner) = ANY($1) AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND (typrelid = 0 OR relkind = 'c') AND typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type AS element WHERE element.typarray = thing.oid)
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = thing.oid AND deptype = 'e')
    UNION ALL
    SELECT format('ALTER SCHEMA %I OWNER TO', nspname)
      FROM pg_namespace AS thing
     WHERE pg_get_userbyid(nspowner) = ANY($1) AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND objid = thing.oid AND deptype = 'e')
`;

const USAGE = `Usage:
    users.js prepare OWNER    the role OWNER owns what is in the database; the user of DATABASE_URL_NEXT works as it, with the password there
    users.js retire USER      that user can log in no more, and its sessions end
Both connect as the user of DATABASE_ADMIN_URL.`;

function say(text: string): void {
  console.log(`INFO users: ${text}`);
}

/** A session at the address in that variable. */
async function session<T>(name: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const url = setting(name);
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    let connected = false;
    try {
      return await withClient(url, async (client) => {
        connected = true;
        await client.query("SELECT set_config('lock_timeout', $1, false)", [LOCK_TIMEOUT]);
        return work(client);
      });
    } catch (error) {
      if (connected || Date.now() > deadline) throw error;
      await sleep(2_000);
    }
  }
}

function userOf(url: string): [user: string, password: string] {
  const { username, password } = new URL(url);
  if (!username || !password) throw new Error("DATABASE_URL_NEXT has no user, or no password");
  return [decodeURIComponent(username), decodeURIComponent(password)];
}

async function one<T>(client: pg.Client, query: string, ...values: unknown[]): Promise<T | undefined> {
  const { rows } = await client.query({ text: query, values, rowMode: "array" });
  return rows[0]?.[0];
}

async function exists(client: pg.Client, role: string): Promise<boolean> {
  return (await one(client, "SELECT 1 FROM pg_roles WHERE rolname = $1", role)) !== undefined;
}

/** One statement in a transaction of its own, again while somebody else has what it locks. */
async function patiently(client: pg.Client, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query(statement);
      return;
    } catch (error) {
      if ((error as pg.DatabaseError).code !== LOCK_NOT_AVAILABLE || attempt === ATTEMPTS) throw error;
      await sleep(1_000);
    }
  }
}

async function prepare(owner: string): Promise<void> {
  const [user, password] = userOf(setting("DATABASE_URL_NEXT"));
  await session("DATABASE_ADMIN_URL", async (client) => {
    const { admin, database } = (await client.query("SELECT current_user AS admin, current_database() AS database")).rows[0];
    if (user === admin) throw new Error("the user of DATABASE_URL_NEXT is the one of DATABASE_ADMIN_URL");
    await makeOwner(client, owner, admin, database);
    await makeUser(client, user, password, owner, database);
    const moved = await handOver(client, owner, admin);
    say(`${owner} owns what is in ${database}${moved ? `; ${moved} things were handed over` : ""}`);
  });
  await session("DATABASE_URL_NEXT", async (client) => {
    const workingAs = await one<string>(client, "SELECT current_user");
    if (workingAs !== owner) throw new Error(`${user} works as ${workingAs}, not as ${owner}`);
  });
  say(`${user} can log in with its new password, and works as ${owner}`);
}

async function makeOwner(client: pg.Client, owner: string, admin: string, database: string): Promise<void> {
  if (!(await exists(client, owner))) await client.query(`CREATE ROLE ${identifier(owner)} NOLOGIN`);
  // Before anything is handed over: the programs that run as this user now go on through its membership.
  if (!(await one<boolean>(client, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))) {
    await client.query(`GRANT ${identifier(owner)} TO ${identifier(admin)}`);
  }
  await client.query(`GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${identifier(database)} TO ${identifier(owner)}`);
  for (const schema of ["public", ...(await schemas(client))]) {
    await patiently(client, `GRANT USAGE, CREATE ON SCHEMA ${identifier(schema)} TO ${identifier(owner)}`);
  }
}

/** Those that this user may give rights on, beside `public`. */
async function schemas(client: pg.Client): Promise<string[]> {
  const found = await client.query(
    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') AND nspowner = current_user::regrole",
  );
  return found.rows.map(({ nspname }) => nspname);
}

async function makeUser(client: pg.Client, user: string, password: string, owner: string, database: string): Promise<void> {
  const name = identifier(user);
  if (!(await exists(client, user))) await client.query(`CREATE ROLE ${name} NOLOGIN`);
  await client.query(`GRANT ${identifier(owner)} TO ${name}`);
  // What it makes, in a migration too, belongs to the owner, so that the other user can change it.
  await patiently(client, `ALTER ROLE ${name} IN DATABASE ${identifier(database)} SET role = ${literal(owner)}`);
  await client.query(`ALTER ROLE ${name} LOGIN PASSWORD ${literal(scramVerifier(password))}`);
}

/** Each thing by itself, so that no lock is held while another one is waited for. Returns how many. */
async function handOver(client: pg.Client, owner: string, admin: string): Promise<number> {
  const members = await client.query(
    "SELECT rolname FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = member WHERE pg_get_userbyid(roleid) = $1",
    [owner],
  );
  const users = new Set<string>([admin, ...members.rows.map(({ rolname }) => rolname)]);
  users.delete(owner);
  const things = await client.query(FOREIGN, [[...users]]);
  for (const { alter_owner } of things.rows) await patiently(client, `${alter_owner} ${identifier(owner)}`);
  return things.rows.length;
}

async function retire(user: string): Promise<void> {
  await session("DATABASE_ADMIN_URL", async (client) => {
    if (user === (await one<string>(client, "SELECT current_user"))) throw new Error(`${user} is the user of DATABASE_ADMIN_URL`);
    if (!(await exists(client, user))) return say(`there is no user ${user}`);
    await client.query(`ALTER ROLE ${identifier(user)} NOLOGIN PASSWORD NULL`);
    say(`${user} can log in no more${await endSessions(client, user)}`);
  });
}

/** Of a program that was forgotten, or of a person who borrowed the password. Needs pg_signal_backend, which RDS's master user has. */
async function endSessions(client: pg.Client, user: string): Promise<string> {
  let ended = 0;
  try {
    // By the one who logged in: the owner's role, which a session works as, is not told there.
    const sessions = await client.query("SELECT pid FROM pg_stat_activity WHERE usename = $1", [user]);
    for (const { pid } of sessions.rows) if (await one<boolean>(client, "SELECT pg_terminate_backend($1)", pid)) ended += 1;
  } catch (error) {
    if ((error as pg.DatabaseError).code !== INSUFFICIENT_PRIVILEGE) throw error;
    return "; its sessions go on until they end by themselves: DATABASE_ADMIN_URL's user may not end them (pg_signal_backend)";
  }
  return ended ? `; ${ended} of its sessions were ended` : "";
}

await program("users", async () => {
  const verbs: Record<string, (name: string) => Promise<void>> = { prepare, retire };
  const [verb, name, ...rest] = process.argv.slice(2);
  const act = verbs[verb ?? ""];
  if (!act || !name || rest.length > 0) {
    console.log(USAGE);
    return 2;
  }
  await act(name);
  return 0;
});
