"""Make the database's users, and shut them out: for the rotation of the database's password.

    users.py prepare OWNER    the role OWNER owns what is in the database; the user of DATABASE_URL_NEXT works as it, with the password there
    users.py retire USER      that user can log in no more, and its sessions end

Both connect as the user of DATABASE_ADMIN_URL, which need not be a superuser: on RDS it is not. Both may be repeated at any time, beside
running programs. Passwords come from the environment and go to the server as SCRAM verifiers only: what logs statements learns none.
"""

import os
import sys
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

# A lock that is not to be had at once is given up, so that nobody queues behind it for long; then it is tried again.
LOCK_TIMEOUT, ATTEMPTS = "2s", 30
# A password that was just changed may take a moment.
PATIENCE = 60

# What belongs to the database's users so far and is nobody else's business: no system's, no extension's, and no part of another thing
# (a column's sequence goes with its table, an array type with its element's).
FOREIGN = """
    SELECT format('ALTER %%s %%I.%%I OWNER TO', kinds.words, nspname, relname)
      FROM pg_class AS thing JOIN pg_namespace ON pg_namespace.oid = relnamespace
      JOIN (VALUES ('r', 'TABLE'), ('p', 'TABLE'), ('f', 'FOREIGN TABLE'), ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW'), ('S', 'SEQUENCE'))
           AS kinds (kind, words) ON kind = relkind::text
     WHERE pg_get_userbyid(relowner) = ANY(%(users)s) AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = thing.oid
                          AND (deptype = 'e' OR relkind = 'S' AND deptype IN ('a', 'i')))
    UNION ALL
    SELECT format('ALTER ROUTINE %%s OWNER TO', thing.oid::regprocedure)
      FROM pg_proc AS thing JOIN pg_namespace ON pg_namespace.oid = pronamespace
     WHERE pg_get_userbyid(proowner) = ANY(%(users)s) AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = thing.oid AND deptype = 'e')
    UNION ALL
    SELECT format('ALTER TYPE %%I.%%I OWNER TO', nspname, typname)
      FROM pg_type AS thing JOIN pg_namespace ON pg_namespace.oid = typnamespace LEFT JOIN pg_class ON pg_class.oid = typrelid
     WHERE pg_get_userbyid(typowner) = ANY(%(users)s) AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND (typrelid = 0 OR relkind = 'c') AND typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type AS element WHERE element.typarray = thing.oid)
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = thing.oid AND deptype = 'e')
    UNION ALL
    SELECT format('ALTER SCHEMA %%I OWNER TO', nspname)
      FROM pg_namespace AS thing
     WHERE pg_get_userbyid(nspowner) = ANY(%(users)s) AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND objid = thing.oid AND deptype = 'e')
"""


class UsersError(Exception):
    pass


def say(text: str) -> None:
    print(f"INFO users: {text}", flush=True)


def connect(name: str) -> psycopg.Connection:
    """A session at the address in that variable."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection = psycopg.connect(os.environ[name], connect_timeout=5, autocommit=True)
            connection.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
            return connection
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def user_of(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if not parts.username or not parts.password:
        raise UsersError("DATABASE_URL_NEXT has no user, or no password")
    return unquote(parts.username), unquote(parts.password)


def exists(connection: psycopg.Connection, role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None


def one(connection: psycopg.Connection, query: str, *values: object) -> object:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None


def patiently(connection: psycopg.Connection, statement: sql.Composable) -> None:
    """One statement in a transaction of its own, again while somebody else has what it locks."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            connection.execute(statement)
            return
        except psycopg.errors.LockNotAvailable:
            if attempt == ATTEMPTS:
                raise
            time.sleep(1)


def prepare(owner: str) -> None:
    user, password = user_of(os.environ["DATABASE_URL_NEXT"])
    with connect("DATABASE_ADMIN_URL") as connection:
        admin, database = str(one(connection, "SELECT current_user")), str(one(connection, "SELECT current_database()"))
        if user == admin:
            raise UsersError("the user of DATABASE_URL_NEXT is the one of DATABASE_ADMIN_URL")
        make_owner(connection, owner, admin, database)
        make_user(connection, user, password, owner, database)
        moved = hand_over(connection, owner, admin)
    say(f"{owner} owns what is in {database}" + (f"; {moved} things were handed over" if moved else ""))
    with connect("DATABASE_URL_NEXT") as connection:
        working_as = one(connection, "SELECT current_user")
        if working_as != owner:
            raise UsersError(f"{user} works as {working_as}, not as {owner}")
    say(f"{user} can log in with its new password, and works as {owner}")


def make_owner(connection: psycopg.Connection, owner: str, admin: str, database: str) -> None:
    if not exists(connection, owner):
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(owner)))
    # Before anything is handed over: the programs that run as this user now go on through its membership.
    if not one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner), sql.Identifier(admin)))
    connection.execute(sql.SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(owner)))
    for schema in ["public", *schemas(connection)]:
        patiently(connection, sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(owner)))


def schemas(connection: psycopg.Connection) -> Iterator[str]:
    """Those that this user may give rights on, beside `public`."""
    query = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public') AND nspowner = current_user::regrole"
    return (row[0] for row in connection.execute(query).fetchall())


def make_user(connection: psycopg.Connection, user: str, password: str, owner: str, database: str) -> None:
    name = sql.Identifier(user)
    if not exists(connection, user):
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
    connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner), name))
    # What it makes, in a migration too, belongs to the owner, so that the other user can change it.
    patiently(connection, sql.SQL("ALTER ROLE {} IN DATABASE {} SET role = {}").format(name, sql.Identifier(database), sql.Literal(owner)))
    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier)))


def hand_over(connection: psycopg.Connection, owner: str, admin: str) -> int:
    """Each thing by itself, so that no lock is held while another one is waited for. Returns how many."""
    query = "SELECT rolname FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = member WHERE pg_get_userbyid(roleid) = %s"
    users = {admin, *(row[0] for row in connection.execute(query, (owner,)).fetchall())} - {owner}
    things = [row[0] for row in connection.execute(FOREIGN, {"users": sorted(users)}).fetchall()]
    for thing in things:
        patiently(connection, sql.SQL(thing.replace("{", "{{").replace("}", "}}") + " {}").format(sql.Identifier(owner)))
    return len(things)


def retire(user: str) -> None:
    with connect("DATABASE_ADMIN_URL") as connection:
        if user == one(connection, "SELECT current_user"):
            raise UsersError(f"{user} is the user of DATABASE_ADMIN_URL")
        if not exists(connection, user):
            say(f"there is no user {user}")
            return
        connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(user)))
        say(f"{user} can log in no more{end_sessions(connection, user)}")


def end_sessions(connection: psycopg.Connection, user: str) -> str:
    """Of a program that was forgotten, or of a person who borrowed the password. Needs pg_signal_backend, which RDS's master user has."""
    ended = 0
    try:
        # By the one who logged in: the owner's role, which a session works as, is not told there.
        for (number,) in connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = %s", (user,)).fetchall():
            ended += bool(one(connection, "SELECT pg_terminate_backend(%s)", number))
    except psycopg.errors.InsufficientPrivilege:
        return "; its sessions go on until they end by themselves: DATABASE_ADMIN_URL's user may not end them (pg_signal_backend)"
    return f"; {ended} of its sessions were ended" if ended else ""


def main(words: list[str]) -> int:
    verbs = {"prepare": prepare, "retire": retire}
    if len(words) != 2 or words[0] not in verbs:
        print(__doc__, flush=True)
        return 2
    try:
        verbs[words[0]](words[1])
    except KeyError as error:
        print(f"ERROR users: {error.args[0]} is not set", flush=True)
        return 1
    except UsersError as error:
        print(f"ERROR users: {error}", flush=True)
        return 1
    except psycopg.Error as error:
        print(f"ERROR users: {str(error).strip()}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
