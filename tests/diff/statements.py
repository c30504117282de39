"""The statement that something holds or is refused: what it says, and where."""

from __future__ import annotations

from dataclasses import dataclass

# In this order they are counted.
KINDS = {
    "test": "whole tests",
    "case": "cases of parametrize",
    "assertion": "assertions",
    "expected": "expected refusals (pytest.raises, must_fail and the like)",
    "skip": "skips",
    "raise": "raise statements",
    "fail_json": "fail_json calls",
    "assert task": "conditions of assert tasks",
    "fail task": "fail tasks",
    "failed_when": "failed_when conditions",
    "message": "messages of assert and fail tasks",
    "terraform": "conditions of Terraform (validation, precondition, postcondition, check)",
}


class Unreadable(Exception):
    """A file of which nothing can be said, with the reason."""


@dataclass(frozen=True)
class Statement:
    """text: normalised, so that layout is none of it. function: what it stands in, also a task's or a block's name. body: of a test, its lines.

    under: the beginning of the text that is the condition or loop around it.
    """

    kind: str
    text: str
    file: str
    line: int
    function: str
    body: tuple[str, ...] = ()
    under: str = ""

    @property
    def claim(self) -> tuple[str, str]:
        """What is compared. A case is a case of its test; a test is what it does and not how it is called; the rest holds wherever it stands."""
        if self.kind == "case":
            return self.kind, f"{self.function}: {self.text}"
        return self.kind, "\n".join(self.body) if self.kind == "test" else self.text

    @property
    def itself(self) -> str:
        return self.text.removeprefix(self.under)
