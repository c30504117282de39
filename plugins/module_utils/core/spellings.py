# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways in which programs write a secret down: in JSON, URLs, XML, shells, Base64. Tables and string functions; nothing is searched here.

The list began as that of GitHub's runner (the encoders of its secret masker); tests/unit/core/test_redaction.py has each of those.
"""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import ConnectionUrl

# A line of a secret of several lines counts as one from so many characters on where it stands alone (the last line of a PEM file is short), and from so
# many wherever it is. Shorter ones are braces, `true`, `---`.
SHORTEST_LINE, WHOLE_LINE = 4, 16
# What Base64 makes of less is too likely to be in other Base64 by chance. Also the least of a part before or after '&'.
_SHORTEST_BASE64, _SHORTEST_PART = 8, 6
# Base64 is broken after so many characters: by PEM and OpenSSL, and by MIME and coreutils.
_BROKEN_AFTER = (64, 76)

_URL = re.compile(r"[a-z][a-z0-9+.:-]*://", re.IGNORECASE)
# Whatever an unencoded password has in it, the last '@' ends it, unless there are some in the query; then ConnectionUrl knows better.
_USER_INFO = re.compile(r"[a-z][a-z0-9+.:-]*://[^\s:/@]*:(?P<password>\S+)@", re.IGNORECASE)
PASSWORD_ARGUMENTS = r"(?:\w*passw(?:or)?d|passphrase|pwd|(?:access_|auth_)?token|(?:client_)?secret|api_?key)"
_ARGUMENT = re.compile(rf"(?:^|[?&;\s]){PASSWORD_ARGUMENTS}=(?P<password>[^&;\s]+)", re.IGNORECASE)


# --- What a value has in it -------------------------------------------------------------------------------------------
def password_of(value: str) -> str:
    """The password inside a URL such as DATABASE_URL; '' if there is none."""
    try:
        return ConnectionUrl.parse(value).written_password
    except ValueError:
        return ""


def passwords_of(value: str) -> set[str]:
    """What may be the password inside a URL, also with `#`, `?`, `/`, `[` or `@` not encoded, or an argument (`?password=`); as it is, and decoded."""
    found = {password_of(value), *(match["password"] for match in (_USER_INFO.match(value), *_ARGUMENT.finditer(value)) if match)}
    return {form for password in found for form in (password, unquote(password), unquote_plus(password)) if form}


def lines_of(value: str) -> set[str]:
    """The lines of a secret that has several."""
    lines = {line.strip() for line in value.splitlines()} if "\n" in value.strip() else set()
    return {line for line in lines if len(line) >= SHORTEST_LINE}


# --- How it is written ------------------------------------------------------------------------------------------------
def _in_json(text: str) -> set[str]:
    """As Python, JavaScript and .NET write it; for a page's sake with < > & ' escaped (Go, Jinja, .NET), or / (PHP); and JSON within JSON."""
    found = set()
    for pure in (True, False):
        plain = json.dumps(text, ensure_ascii=pure)[1:-1]
        plain = re.sub("[\x7f\x85\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", plain)
        safe = plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        found |= {plain, json.dumps(text, ensure_ascii=pure)[1:-1], safe, safe.replace("'", "\\u0027"), plain.replace("/", "\\/"), json.dumps(plain)[1:-1]}
    return found | {re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), item) for item in found}


def _in_urls(text: str) -> set[str]:
    """Percent-encoded: everything, all but what a path, encodeURIComponent or encodeURI leaves, as in forms (+), twice; in capitals and not."""
    whole = quote(text, safe="")
    kept = ("/", "!'()*", ";,/?:@&=+$-_.!~*'()#")
    found = {whole, *(quote(text, safe=safe) for safe in kept), quote_plus(text), quote_plus(text, safe="*").replace("~", "%7E"), quote(whole, safe="")}
    return found | {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), item) for item in found}


def _in_markup(text: str) -> set[str]:
    """In XML and HTML, whose writers differ in the quotes."""
    bare = html.escape(text, quote=False)
    quotes = (("&quot;", "&apos;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&#x27;"), ("&quot;", "'"))
    return {bare, *(bare.replace('"', double).replace("'", single) for double, single in quotes)}


def _in_code(text: str) -> set[str]:
    """In shells' quotes and without, in SQL, CSV and expressions (quotes doubled), and as Python's repr() has it, also within another text."""
    shells = {text.replace("'", "'\\''"), text.replace("'", "'\"'\"'"), re.sub(r'(["\\$`])', r"\\\1", text), re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)}
    quotes = {text.replace('"', '\\"'), text.replace("'", "''"), text.replace('"', '""')}
    return {*shells, *quotes, repr(text)[1:-1], repr(f"'\"{text}")[4:-1], repr(text.encode())[2:-1]}


def _parts(text: str) -> set[str]:
    """What PowerShell says of `a&b` where it takes & for an operator: the parts, each by itself. Of URLs the last part is an argument, and no secret."""
    if "&" not in text or _URL.match(text):
        return set()
    first, mark, rest = text.partition("&+") if "&+" in text else text.rpartition("&")
    # The character after '&+' is coloured, and so cut off.
    return {part for part in (first + mark, rest[1:] if mark == "&+" else rest) if len(part) >= _SHORTEST_PART}


def _in_base64(text: str) -> set[str]:
    """By itself, and within something longer, as in `Basic base64(user:password)`: there it begins at one of three places of a group.

    Within something longer the characters at both ends hold bits of the neighbours: they are left out, so that up to four bits of the first and last byte stay.
    """
    data = text.encode()
    found = {base64.b64encode(data[shift:]).decode() for shift in range(3) if len(data) > shift}
    for before in range(3):
        written, end = base64.b64encode(bytes(before) + data).decode(), 8 * (before + len(data)) // 6
        # From the first character that is the text's own, or, where a program encodes a rest of it, from the next group.
        found |= {written[start:end] for start in ((8 * before + 5) // 6, 4 * bool(before))}
    alone = base64.b64encode(data).decode()
    found |= {alone[start : start + width] for width in _BROKEN_AFTER if len(alone) > width for start in range(0, len(alone), width)}
    found = {item for item in found if len(item) >= _SHORTEST_BASE64} | {alone}
    found |= {item.rstrip("=") for item in found}
    return found | {item.replace("+", "-").replace("/", "_") for item in found}


def _written(text: str) -> set[str]:
    return {text, *_in_json(text), *_in_urls(text), *_in_markup(text), *_in_code(text)}


def spellings(value: str) -> set[str]:
    """The ways in which a secret may turn up: as it is or written down by a program, its password alone, the long lines of a longer one."""
    values = {value, value.strip()}
    if len(value) > _SHORTEST_BASE64:
        values |= {value[1:-1] for quote_mark in "\"'" if value[0] == value[-1] == quote_mark}
    values |= passwords_of(value)
    found = {item for text in values if text for item in (*_written(text), *_parts(text), *_in_base64(text))}
    for line in lines_of(value):
        if len(line) >= WHOLE_LINE:
            found |= _written(line)
    return {item for item in found if item}
