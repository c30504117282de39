"""docs/findings.md, from the table of codes. tests/bin/draw-findings writes it; test_findings_page.py compares it."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.codes import BY_CODE, CODES, Code, cause_of, remedy_of

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "findings.md"

_BEGINNING = """# Findings of the diagnosis

`diagnose.yml` reports findings. Each has a code, which the JSON that it saves and the result of the module
[environment_diagnosis_info](reference/environment_diagnosis_info.md) have, too. This page is made by `make docs`.

- **Causes first.** A finding that another one explains is its consequence: it is shown below its cause, without a remedy of its own (`caused_by` has the code
  of the cause). The last column of the tables lists what a code explains, where both concern the same service or one of them concerns all: that, and what
  that explains in turn.
- **Certain or likely.** *Certain* is what AWS, PostgreSQL or Redis states; *likely* is a conclusion.
- **Now or over.** What failed within the last hour or so is checked again: parameters, images, log groups, the permissions of the execution roles, routes and
  security groups. It is over (`over`) when a later task of the service runs, when it was the fault of a revision that is no longer there, or when that check
  finds nothing. *Earlier, over* has one line per incident, without a command.
- **Minor** findings are worth knowing and are not counted.

## When a diagnosis is made

| Playbook | When it fails |
| --- | --- |
| `diagnose.yml` | the whole diagnosis |
| `deploy.yml`, `rollback.yml`, `redeploy.yml` | the first causes; all of it is saved in the work directory and the state bucket |
| `migrate.yml`, `restart.yml`, `scale.yml`, `start.yml` | all of it, then the error with the first causes; none where nothing was begun |
| all others | none: they report their own cause. Run `diagnose.yml` |

## Codes
"""
_HEAD = "| Code | Cause | Remedy | Explains |\n| --- | --- | --- | --- |"


def drawn() -> str:
    chapters = list(dict.fromkeys(entry.about for entry in CODES))
    tables = [f"### {about}\n\n{_HEAD}\n" + "\n".join(_row(entry) for entry in CODES if entry.about == about) for about in chapters]
    return "\n".join([_BEGINNING, "\n\n".join(tables)]) + "\n"


def _direct(entry: Code) -> list[str]:
    """Without what others among them explain as well."""
    explained = dict.fromkeys(entry.explains)
    return [code for code in explained if not any(code in BY_CODE[other].explains for other in explained)]


def _row(entry: Code) -> str:
    remedy = re.sub(r"(?<!`)\b(\w+\.yml)\b(?!`| -)", r"`\1`", remedy_of(entry))
    explains = ", ".join(f"`{code}`" for code in _direct(entry)) or "–"
    return f"| `{entry.code}`{' (minor)' if entry.minor else ''} | {cause_of(entry)} | {remedy} | {explains} |"
