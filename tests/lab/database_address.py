"""DATABASE_URL as the tests' own driver takes it."""


def libpq(url: str) -> str:
    """libpq has no word for node-postgres's `no-verify`: encrypted, whoever the other side is."""
    return url.replace("sslmode=no-verify", "sslmode=require")
