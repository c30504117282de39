# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A failure in the four parts that a person asks for: what failed, why, what state things are in, what to do. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The parts, in the order in which they are read.
PARTS = ("what", "why", "state", "next")
# In a message the sentence about the state, and the first that is an instruction: 'X is wrong, as … . Nothing was changed. Do this.'
_STATE = re.compile(r"(?:Nothing|No [a-z]+|So nothing|So no [a-z]+) (?:else )?(?:was|is|were|has been) ")
_NEXT = re.compile(
    r"(?:Add|Ask|Check|Choose|Commit|Correct|Create|Delete|Deploy|Either|First|Fix|Give|Grant|If|Install|Make|Name|Put|Quote|Re-run|Remove|Rename|Restore|Run"
    r"|Say|See|Set|Start|Stop|Take|To|Try|Type|Undo|Use|Wait|With|Write)\b"
)
_SENTENCE = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)[^\S\n]+(?=[A-Z`'\"(])|\n")


@dataclass
class Failure:
    """`what`: one sentence. The others: lines. `code`: names the kind of failure, for programs and for the docs' list."""

    what: str
    why: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)
    code: str = ""

    def text(self) -> str:
        """The whole as one message, for whoever shows no parts."""
        return "\n".join([self.what, *self.why, *self.state, *self.next])

    def as_dict(self) -> dict[str, Any]:
        return {"code": self.code, **{part: getattr(self, part) for part in PARTS}}


def _lines(given: object) -> list[str]:
    found = given if isinstance(given, (list, tuple)) else [given] if given else []
    return [line for part in found for line in str(part).splitlines() if line.strip()]


def of_message(message: str, code: str = "") -> Failure:
    """The parts of a message that was written as one: resource and cause, the state, the remedy. Each line of it stays one."""
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    part = "what"
    for line in filter(str.strip, message.splitlines()):
        for number, sentence in enumerate(_SENTENCE.split(line)):
            part = _part_of(sentence, part) if parts["what"] else "what"
            if number and parts[part] and part != "what" and parts[part][-1] in line:
                parts[part][-1] += f" {sentence}"
            else:
                parts[part].append(sentence)
    return Failure(parts["what"][0] if message.strip() else "It failed without a message.", parts["why"], parts["state"], parts["next"], code)


def _part_of(sentence: str, before: str) -> str:
    """To which part a sentence belongs that follows one of the part `before`. Once there is an instruction, all that follows is about it."""
    if sentence.startswith(" "):
        return "next" if before == "next" else "why"
    if _STATE.match(sentence):
        return "state"
    return "next" if before == "next" or before == "state" or _NEXT.match(sentence) else "why"


def of_result(result: Mapping[str, Any]) -> Failure:
    """Of a module's result: its own parts (`failure`), or those of its message."""
    given, error = result.get("failure"), result.get("error")
    code = str(result.get("code") or (error.get("code") if isinstance(error, Mapping) else "") or "")
    if isinstance(given, Mapping) and given.get("what"):
        why, state, then = (_lines(given.get(part)) for part in PARTS[1:])
        return Failure(str(given["what"]), why, state, then, str(given.get("code") or code))
    return of_message("\n".join(_lines(result.get("msg"))), code)
