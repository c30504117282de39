# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes known secrets out of text that others wrote: log lines, events, reasons. No call to AWS here."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "[secret]"

# Shorter values are common words by chance: they are taken out only where they stand alone.
_LONG = 8
# 'scheme://user:password@': whatever the password is, it does not belong here.
_CREDENTIALS = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.IGNORECASE)


def password_of(value: str) -> str:
    """The password inside a URL such as DATABASE_URL; '' if there is none."""
    try:
        return urlsplit(value).password or ""
    except ValueError:
        return ""


def spellings(value: str) -> set[str]:
    """The ways in which a secret may turn up: as it is, in JSON, in a URL, its password alone, the lines of a longer one."""
    in_json = {json.dumps(value, ensure_ascii=pure)[1:-1] for pure in (True, False)}
    found = {value, value.strip(), *in_json, *(json.dumps(item)[1:-1] for item in in_json), quote(value, safe=""), quote(value)}
    password = password_of(value)
    if password:
        found |= {password, unquote(password), quote(unquote(password), safe="")}
    if "\n" in value:
        found |= {line.strip() for line in value.splitlines() if len(line.strip()) >= 2 * _LONG}
    return {item for item in found if item}


class Redactor:
    """Knows the secrets of one environment."""

    def __init__(self, values, harmless=("CHANGE_ME",)):
        """values: the secrets; harmless: values that are none, such as the placeholder."""
        known = {spelling for value in values if value and value not in harmless for spelling in spellings(value)}
        # The longest first, so that no part of one stays when a shorter one is inside it.
        long = sorted((item for item in known if len(item) >= _LONG), key=len, reverse=True)
        short = sorted((item for item in known if len(item) < _LONG), key=len, reverse=True)
        self._long = re.compile("|".join(re.escape(item) for item in long)) if long else None
        self._short = re.compile(r"(?<!\w)(?:" + "|".join(re.escape(item) for item in short) + r")(?!\w)") if short else None

    def text(self, text: str) -> str:
        """Free text without the secrets."""
        text = self.name(text)
        text = self._short.sub(HIDDEN, text) if self._short else text
        return _CREDENTIALS.sub(rf"\g<head>{HIDDEN}", text)

    def name(self, text: str) -> str:
        """A name or id of AWS's, of which a short secret may be a part by chance: only the long ones are taken out."""
        return self._long.sub(HIDDEN, text) if self._long else text

    def everything(self, value):
        """A structure of dicts and lists with the long secrets, and passwords in URLs, taken out of every string of it."""
        if isinstance(value, str):
            return _CREDENTIALS.sub(rf"\g<head>{HIDDEN}", self.name(value))
        if isinstance(value, dict):
            return {key: self.everything(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.everything(item) for item in value]
        return value
