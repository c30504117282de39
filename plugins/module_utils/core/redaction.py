# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one way in for text that others wrote: log lines, events, reasons, answers, output of programs. No call to AWS here.

First what a terminal would act on is taken out, then the secrets. In the other order a colour in the midst of a password hides it from the search, and
what is shown is the password. So nothing here searches a text that was not cleaned.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from ansible_collections.atena.aws.plugins.module_utils.core.connection_url import HIDDEN
from ansible_collections.atena.aws.plugins.module_utils.core.spellings import PASSWORD_ARGUMENTS, SHORTEST_LINE, WHOLE_LINE, lines_of, password_of, spellings

__all__ = ("HIDDEN", "Redactor", "clean", "password_of", "shown", "spellings")

# --- What a terminal would act on -------------------------------------------------------------------------------------
# ECMA-48's sequences, each also in its form of one character (C1): CSI; OSC, DCS, SOS, PM and APC with all that they hold, if they end on the same line;
# and the short ones. The beginning of one that does not end goes by the last alternative.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Control characters but for tab and line feed; what changes the direction of writing; what is not seen, so that a word is not the one that it looks like.
# The joiners U+200C and U+200D stay, which languages and emoji need.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")
# Half a character of UTF-16, which JSON can hold and no file.
_HALVES = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without anything that moves a cursor, changes a colour, a title or the direction of writing, or cannot be seen. Tabs and line feeds stay."""
    if text.isprintable():  # most lines: ten times as fast
        return text
    return _HALVES.sub("\ufffd", _CONTROLS.sub("", _SEQUENCES.sub("", text)))


# --- Secrets ----------------------------------------------------------------------------------------------------------
# Shorter values are common words by chance: they are taken out only where they stand alone; still shorter ones are not secrets, and in every text.
_LONG, _LEAST = 8, 3
# 'scheme://user:password@': whatever the password is, it does not belong here. It may have '@' in it; then the last one before '/' or a quote ends it.
_CREDENTIALS = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]{0,40}://[^\s:/@]*:)[^\s/@]+(?:@[^\s/@\"'<>,;]+)*(?=@)", re.IGNORECASE)
# '?password=' in a URL, in quotes or not.
_ARGUMENTS = re.compile(rf"(?P<head>[?&;]{PASSWORD_ARGUMENTS}=)[^\s&;\"'<>]+", re.IGNORECASE)


def _any_of(words: set[str]) -> str:
    """A pattern for any of the words, the longest first. Made as a tree, since Python tries the alternatives of a pattern one by one at each character."""
    branches: dict[str, set[str]] = {}
    for word in words - {""}:
        branches.setdefault(word[0], set()).add(word[1:])
    parts = [re.escape(first) + _any_of(rest) for first, rest in sorted(branches.items())]
    pattern = parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
    if "" in words:
        return f"(?:{pattern})?" if parts else ""
    return pattern


class Redactor:
    """Knows the secrets of one environment."""

    def __init__(self, values: Iterable[str | None], harmless: Collection[str] = ("CHANGE_ME",)) -> None:
        """values: the secrets; harmless: values that are none, such as the placeholder."""
        known: set[str] = set()
        lines: set[str] = set()
        for value in {value for value in values if value and value not in harmless}:
            known |= spellings(value)
            lines |= lines_of(value)
        # What is searched is clean; so must be what it is searched for.
        known, lines = ({clean(item) for item in items} for items in (known, lines))
        known |= {line for line in lines if len(line) >= WHOLE_LINE}
        # Found by the first characters, then compared, the longest first, so that the pattern stays small however long the secrets are.
        self._beginning: dict[str, list[str]] = {}
        for item in sorted(known, key=len, reverse=True):
            if len(item) >= _LONG:
                self._beginning.setdefault(item[:_LONG], []).append(item)
        alone = {item for item in known if _LEAST <= len(item) < _LONG} | {line for line in lines if _LONG <= len(line) < WHOLE_LINE}
        self._long = re.compile(_any_of(set(self._beginning))) if self._beginning else None
        self._alone = re.compile(_any_of(alone) + r"(?!\w)") if alone else None
        self._lines = {line for line in lines if SHORTEST_LINE <= len(line) < _LONG}

    def text(self, text: str) -> str:
        """Free text, clean and without the secrets."""
        text = clean(text)
        return self._addresses(self._hidden(text, [*self._found(text), *self._found_alone(text), *self._found_lines(text)]))

    def name(self, text: str) -> str:
        """A name or id of AWS's, of which a short secret may be a part by chance: only the long ones are taken out."""
        text = clean(text)
        return self._hidden(text, self._found(text))

    def everything(self, value: Any) -> Any:
        """A structure of dicts and lists with the long secrets, and passwords in URLs, taken out of every string of it."""
        if isinstance(value, str):
            return self._addresses(self.name(value))
        if isinstance(value, dict):
            return {key: self.everything(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.everything(item) for item in value]
        return value

    # --- Where they are, as [(begin, end)] ---
    def _found(self, text: str) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        match = self._long.search(text) if self._long else None
        while self._long and match:
            begin = match.start()
            whole = next((item for item in self._beginning[match[0]] if text.startswith(item, begin)), "")
            if whole:
                spans.append((begin, begin + len(whole)))
            # From the next character on: another secret may begin within this one and end behind it.
            match = self._long.search(text, begin + 1)
        return spans

    def _found_alone(self, text: str) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        match = self._alone.search(text) if self._alone else None
        while self._alone and match:
            begin = match.start()
            before = text[begin - 1 : begin]
            if not (before.isalnum() or before == "_"):
                spans.append(match.span())
            match = self._alone.search(text, begin + 1)
        return spans

    def _found_lines(self, text: str) -> list[tuple[int, int]]:
        if not self._lines:
            return []
        spans, begin = [], 0
        for line in text.split("\n"):
            if line.strip() in self._lines:
                spans.append((begin, begin + len(line)))
            begin += len(line) + 1
        return spans

    @staticmethod
    def _hidden(text: str, spans: Iterable[tuple[int, int]]) -> str:
        if not spans:
            return text
        parts, at, end = [], 0, 0
        for begin, its_end in sorted(spans):
            if begin >= end:
                parts += [text[at:begin], HIDDEN]
            at = end = max(end, its_end)
        return "".join([*parts, text[at:]])

    @staticmethod
    def _addresses(text: str) -> str:
        if "://" not in text:
            return text
        return _ARGUMENTS.sub(rf"\g<head>{HIDDEN}", _CREDENTIALS.sub(rf"\g<head>{HIDDEN}", text))


_NOTHING_KNOWN = Redactor([])


def shown(text: str) -> str:
    """Text that others wrote, where the environment's secrets are not at hand: clean, and without passwords in URLs."""
    return _NOTHING_KNOWN.text(text)
