# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lays text out for a terminal, a CI log and AWX alike: two columns where lines have labels, folded at the width, in colour where Ansible has it.

Ansible's own ways show a result as JSON or YAML, which quote, escape and fold lines. What is laid out here goes through its Display all the same, so that
NO_COLOR, ANSIBLE_FORCE_COLOR, a log file and AWX work as for everything else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from ansible import constants as C
from ansible.utils.color import stringc
from ansible.utils.display import Display
from ansible_collections.atena.aws.plugins.module_utils.core.redaction import clean

# Of a CI log or a file, which have none of their own, and the widest that a sentence is read with ease.
USUAL = 100
_NARROWEST = 40
_LABEL = re.compile(r"(?P<label>[A-Za-z][\w./()-]*(?: [\w./()-]+){0,2}): +(?P<text>\S.*)")
_LONGEST_LABEL = 24
_ITEM = re.compile(r"(?:\d+\.|-) ")
# A command in backticks is one word, and so is an option with its value: half of it cannot be pasted.
_WORD = re.compile(r"`[^`]+`\S*|-e (?:'[^']*'|\"[^\"]*\")\S*|-e \S+|\S+")
# On a line of its own: it is to be copied.
_COMMAND = re.compile(r"(?:[A-Z_]+=\S* )*(?:ansible-playbook|ansible|aws|docker|git|terraform|lab/lab) \S")
# A row of a table has gaps; one that is not indented, several.
_TABLE, _TABLE_GAPS = re.compile(r"\S {2,}(?=\S)"), 3
# What a line is about, by the words that the reports use for it.
_BAD = re.compile(r"NOT (?:SET|confirmed|proved)|FAILED|Needs attention|needs attention")
_DOUBTFUL = re.compile(r"^Warning\b|NO PRICE|NO snapshot|STOPPED|unfinished")
_GOOD = re.compile(r"^(?:Healthy|Healthy|Nothing to do|Released|Stopped|Started|Restored|Destroyed|Rolled back)\b")


# --- The terminal -----------------------------------------------------------------------------------------------------
def _terminal() -> int:
    """Columns of the terminal on standard output; 0 where that is none."""
    try:
        return os.get_terminal_size(1).columns if os.isatty(1) else 0
    except OSError:
        return 0


# In the process of ansible-playbook itself, which has the callbacks import this: its workers have no terminal any more.
_COLUMNS = _terminal()


def width() -> int:
    """COLUMNS where it is set, else the terminal's width, else that of a CI log."""
    wanted = os.environ.get("COLUMNS", "")
    return max(_NARROWEST, int(wanted) if wanted.isdecimal() and int(wanted) else _COLUMNS or USUAL)


# --- Folding ----------------------------------------------------------------------------------------------------------
def fold(text: str, room: int) -> list[str]:
    """The text in lines of at most `room` characters. Nothing within backticks is parted; a longer word has a line of its own, whole."""
    if len(text) <= room:
        return [text]
    lines, current = [], ""
    for word in _WORD.findall(text):
        if current and len(current) + 1 + len(word) > room:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    return [*lines, current] if current else lines or [""]


# --- Lines ------------------------------------------------------------------------------------------------------------
def _labelled(line: str) -> tuple[str, str]:
    """(label, text) of a line that has one; ('', line) of any other."""
    match = _LABEL.fullmatch(line)
    return (match["label"], match["text"]) if match and len(match["label"]) <= _LONGEST_LABEL else ("", line)


def _plain(line: str, columns: int, further: str) -> list[str]:
    """A line without a label: tables stay, what begins with blanks or a number goes on below its first word."""
    text = line.lstrip(" ")
    begin = line[: len(line) - len(text)]
    if len(line) <= columns or _COMMAND.match(text) or len(_TABLE.findall(text)) >= (1 if begin else _TABLE_GAPS):
        return [line]
    item = _ITEM.match(text)
    head = item[0] if item else ""
    hanging = begin + " " * len(head) + ("" if item else further)
    first, *rest = fold(text[len(head) :], columns - len(hanging))
    return [f"{begin}{head}{first}", *(f"{hanging}{more}" for more in rest)]


def arrange(lines: Iterable[str], columns: int, further: str = "  ") -> list[str]:
    """Lines such as a module gives them ('label: text', or sentences), for a screen of so many columns.

    further: what the second and later lines of a sentence begin with.
    """
    parted = [_labelled(line) for part in lines for line in clean(str(part)).splitlines() or [""]]
    labels = [label for label, _text in parted if label]
    column = max(map(len, labels), default=0) + (3 if len(labels) > 1 else 2)
    shown: list[str] = []
    for label, text in parted:
        if not label:
            shown += _plain(text, columns, further)
        else:
            first, *rest = fold(text, max(_NARROWEST // 2, columns - column))
            shown += [f"{f'{label}:':<{column}}{first}", *(" " * column + more for more in rest)]
    return [line.rstrip() for line in shown]


# --- Colours ----------------------------------------------------------------------------------------------------------
def _colour(line: str) -> str | None:
    for pattern, colour in ((_BAD, C.COLOR_ERROR), (_DOUBTFUL, C.COLOR_WARN), (_GOOD, C.COLOR_OK)):
        if pattern.search(line):
            return str(colour)
    return None


def painted(line: str, colour: Any = None) -> str:
    """The line in its colour, if Ansible shows any."""
    colour = colour or _colour(line)
    return stringc(line, colour) if colour and line else line


def show(lines: list[str], title: str = "") -> None:
    """At once, so that the lines of several environments do not mix. Whoever reads a JSON document from standard output wants nothing else there."""
    aside = C.DEFAULT_STDOUT_CALLBACK.endswith("json")
    head = [title] if title else []
    Display().display("\n".join([*(painted(line, C.COLOR_HIGHLIGHT) for line in head), *map(painted, lines)]), stderr=aside, screen_only=True)
    Display().display("\n".join([*head, *lines]), log_only=True)
