"""DATABASE_URL and REDIS_URL: read as people write them, written again with nothing lost, and never shown."""

import copy
from urllib.parse import quote

import pytest
from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import ConnectionUrl
from ansible_collections.atena.aws.plugins.module_utils.secrets.database_url import DatabaseUrl
from ansible_collections.atena.aws.plugins.module_utils.secrets.redis_url import RedisUrl

# What people write into a password, and nobody encodes.
PASSWORDS = [
    *("plain", "p#ss", "p?ss", "p[ss", "p]ss", "p/ss", "p@ss", "p:ss", "p&ss=1", "p+ss", "p ss", "100%", "p\\ss", "#", "?x=1", "[::1]", "a@b@c", "p@ss/w?r#d"),
    *("12#x", "12/x", "12?x=1", "12?x=1&y=2", "p@h.example/x", "p@h:5432/x", "p@ss?x=1&y=2", "häßlich", "'quoted'"),
]
ADDRESSES = ["db.rds.amazonaws.com:5432/atena?sslmode=require", "db.rds:5432/atena", "db.rds/atena", "db.rds:5432", "db.rds", "[::1]:5432/a?b=c&d=e#f"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_nobody_encoded_is_read_whole(password, address):
    url = DatabaseUrl.parse(f"postgresql://atena:{password}@{address}")
    assert (url.user, url.password) == ("atena", password)
    assert (url.host, url.port) == ("::1" if address.startswith("[") else address.split("/")[0].split(":")[0], 5432 if "5432" in address else None)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_one_that_is_encoded_is_decoded(password, address):
    url = DatabaseUrl.parse(f"postgresql://at%40na:{quote(password, safe='')}@{address}")
    assert (url.user, url.password) == ("at@na", password)
    assert url == DatabaseUrl.parse(f"postgresql://{address}").with_login("at@na", password)


WRITTEN = [
    *(f"postgres://u:{password}@{address}" for password in PASSWORDS for address in ADDRESSES),
    *(
        "postgresql://h/a",
        "postgresql:///a?host=/run/postgresql",
        "postgresql://h1,h2/a",
        "postgresql://u@h/a",
        "postgresql://u:@h/a",
        "postgresql://@h",
        "redis://:t@h:6379/0",
    ),
    *(
        "postgresql+psycopg://u:p@h/a",
        "postgresql://h:05432/a?user=u&password=p%2F",
        "POSTGRESQL://u:p@H/a",
        "postgresql://u:p@h/a?application_name=x@y",
        "postgresql://u:p@h/a\n",
    ),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_it_is_written_as_it_was_read(text):
    url = ConnectionUrl.parse(text)
    assert url.text == text and ConnectionUrl.parse(url.text) == url == copy.deepcopy(url)


@pytest.mark.parametrize("text", WRITTEN)
def test_with_another_address_or_login_all_else_stays(text):
    url = ConnectionUrl.parse(text)
    moved = url.with_address("new.host", 5433)
    assert (moved.host, moved.port, moved.user, moved.password, moved.scheme) == ("new.host", 5433, url.user, url.password, url.scheme)
    assert moved.is_at("NEW.host", 5433) and not moved.is_at("new.host", 5432)
    other = url.with_login("new user", "p@ss/word#1")
    assert (other.user, other.password, other.host, other.port) == ("new user", "p@ss/word#1", url.host, url.port)
    again = other.with_address("new.host", 5433)
    assert ConnectionUrl.parse(again.text) == again and again.text.startswith(f"{url.scheme}://new%20user:p%40ss%2Fword%231@new.host:5433")


def test_what_follows_the_address_stays_as_it_is():
    url = DatabaseUrl.parse("postgresql://u:p@h:1/a%20b?sslmode=require&options=-c%20x%3Dy&application_name=a@b#f")
    assert url.with_address("h", 2).with_login("v", "q").text == "postgresql://v:q@h:2/a%20b?sslmode=require&options=-c%20x%3Dy&application_name=a@b#f"
    assert DatabaseUrl.parse("postgres://[::1]/a").with_address("h", 1).text == "postgres://h:1/a"


def test_a_login_among_the_arguments_is_one_too_and_gives_way():
    url = DatabaseUrl.parse("postgresql://h:5432/db?user=u%40x&password=p%2Fq&sslmode=require")
    assert (url.user, url.password) == ("u@x", "p/q")
    assert url.with_login("v", "w").text == "postgresql://v:w@h:5432/db?sslmode=require"
    assert DatabaseUrl.parse("postgresql:///db?host=old&port=1").with_address("new", 2).text == "postgresql://new:2/db"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(
            (DatabaseUrl, text)
            for text in ("mysql://u:s3cr3t@h", "s3cr3t", "", "CHANGE_ME", "postgresql:s3cr3t", "postgresql://u:s3cr3t@[h", "postgresql://u:p@h:port/s3cr3t")
        ),
        *((RedisUrl, text) for text in ("postgresql://u:s3cr3t@h", "s3cr3t", "redis:/s3cr3t", "xredis://s3cr3t")),
    ],
)
def test_what_is_none_is_refused_without_being_told(kind, text):
    with pytest.raises(ValueError, match=f"^it is no {kind.KIND}$"):
        kind.parse(text)


@pytest.mark.parametrize("password", PASSWORDS)
def test_it_never_shows_its_password(password):
    if len(password) < 3:
        return
    for text in (f"postgresql://atena:{password}@db.rds:5432/atena", f"postgresql://db.rds:5432/atena?user=atena&password={quote(password)}"):
        url = DatabaseUrl.parse(text)
        for shown in (repr(url), str(url), f"{url}", f"{url!r}", str([url]), str({"url": url})):
            assert password not in shown and quote(password) not in shown and "db.rds:5432" in shown
    assert str(DatabaseUrl.parse(f"postgresql://atena:{password}@db.rds:5432/atena?a=b")) == "postgresql://atena:[secret]@db.rds:5432/atena?..."


def test_a_token_of_redis_is_its_password():
    assert RedisUrl.parse("rediss://:to%40ken@old.local:6379").password == "to@ken"
    assert RedisUrl.parse("rediss://:to#k/n@old.local:6379/2?timeout=1").with_address("new", 1).text == "rediss://:to#k/n@new:1/2?timeout=1"
    assert RedisUrl.parse("redis://old.local:6379").password == ""
