# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A finding of a diagnosis: one cause, what shows it, and the steps that fix it. No call to AWS here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.codes import BY_CODE

CERTAIN, LIKELY = "certain", "likely"
# Evidence of one finding; the saved facts have all of it.
_MOST_LINES = 60
# What a finding concerns that concerns the whole environment.
EVERYTHING = ()


class Step(NamedTuple):
    """One step of a remedy. command: one line, as it is pasted; '' for what a person has to do. instead: it takes the place of the steps before it."""

    text: str
    command: str = ""
    instead: bool = False


class Shown(NamedTuple):
    """One line of evidence. log: what identifies a log line, which is shown once in a whole diagnosis; '' for other lines."""

    text: str
    log: str = ""


@dataclass
class Found:
    """One cause.

    concerns: the services (or the one-off task) that it is about; none for the whole environment. A consequence has its cause among what concerns the same.
    folds: it is shown with its cause, if that is found. at: when it was seen last, of what has a time. incident: of what is over, which deployment or task
    it belongs to.
    """

    code: str
    resource: str
    cause: str
    steps: list[Step] = field(default_factory=list)
    certainty: str = CERTAIN
    evidence: list[Shown] = field(default_factory=list)
    concerns: tuple[str, ...] = EVERYTHING
    over: bool = False
    folds: bool = False
    at: str = ""
    incident: str = ""
    times: int = 1
    caused_by: str = ""

    @property
    def minor(self) -> bool:
        return BY_CODE[self.code].minor

    def add(self, lines: Iterable[Shown]) -> None:
        self.evidence += [line for line in lines if line not in self.evidence]

    def take(self, other: Found) -> None:
        """The same cause, found in another way."""
        self.add(other.evidence)
        self.at = max(self.at, other.at)
        self.times += other.times if self.over else 0
        if other.certainty == CERTAIN and self.certainty != CERTAIN:
            self.certainty, self.cause, self.steps = other.certainty, other.cause, other.steps

    def is_twin(self, other: Found) -> bool:
        """The very same, of another resource: one missing rule or secret stops all services."""
        same = ("code", "cause", "steps", "certainty", "over", "caused_by", *(("incident",) if self.over else ()))
        return all(getattr(self, name) == getattr(other, name) for name in same)

    def touches(self, other: Found) -> bool:
        """Whether both concern the same, or one of them everything."""
        return not self.concerns or not other.concerns or bool(set(self.concerns) & set(other.concerns))

    def as_dict(self) -> dict[str, Any]:
        steps = [] if self.over or self.caused_by else self.steps
        return {
            "code": self.code,
            "resource": self.resource,
            "cause": self.cause,
            "certainty": self.certainty,
            "over": self.over,
            "minor": self.minor,
            "caused_by": self.caused_by,
            "at": self.at,
            "times": self.times,
            "remedy": remedy_text(steps),
            "steps": [step._asdict() for step in steps],
            "evidence": [line.text for line in self.evidence[:_MOST_LINES]],
        }


def shown(*lines: str) -> list[Shown]:
    return [Shown(line) for line in lines]


def remedy_text(steps: Iterable[Step]) -> str:
    """The steps as sentences, with their commands in backticks."""
    sentences = []
    for step in steps:
        text = f"Or: {step.text[:1].lower()}{step.text[1:]}" if step.instead else step.text
        sentences.append(f"{text}: `{step.command}`." if step.command else f"{text.rstrip('.')}.")
    return " ".join(sentences)
