# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an environment does not work: from gathered facts to causes, each with its evidence and the command that fixes it. No call to AWS here."""

from __future__ import annotations

CERTAIN, LIKELY = "certain", "likely"


def findings(facts: dict) -> list[dict]:
    """[{"code", "cause", "subject", "evidence": [lines], "remedy", "certainty"}]: what is certain first, then what weighs most."""
    return []


def as_text(diagnosis: dict) -> str:
    """What a person reads at two in the morning: each cause with its evidence and remedy, then how things stand."""
    lines = [f"Diagnosis of {diagnosis['environment']}, {diagnosis['at']}"]
    for number, found in enumerate(diagnosis["findings"], 1):
        lines += ["", f"{number}. {found['cause']} ({found['certainty']})", *(f"   {line}" for line in found["evidence"]), f"   -> {found['remedy']}"]
    return "\n".join(lines) + "\n"
