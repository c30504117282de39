# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a preflight check finds, and the verdict over all findings as people read it."""

from __future__ import annotations

OK, WARNING, FAILED = "ok", "warning", "failed"


def finding(check: str, subject: str, status: str, says: str, remedy: str = "") -> dict:
    return {"check": check, "subject": subject, "status": status, "says": says, "remedy": remedy}


def good(check: str, subject: str, says: str) -> dict:
    return finding(check, subject, OK, says)


def doubt(check: str, subject: str, says: str, remedy: str = "") -> dict:
    """Something to know, or something that could not be determined: it does not stop a release."""
    return finding(check, subject, WARNING, says, remedy)


def bad(check: str, subject: str, says: str, remedy: str) -> dict:
    return finding(check, subject, FAILED, says, remedy)


def unread(fact: object) -> str | None:
    """Why a fact could not be read, or None. The reading leaves {"unread": reason} in the fact's place."""
    return fact["unread"] if isinstance(fact, dict) and set(fact) == {"unread"} else None


def not_determined(check: str, subject: str, fact: object) -> dict:
    remedy = "Give the caller the reading permissions that the README of the role preflight lists."
    return doubt(check, subject, f"could not be determined. {unread(fact)}", remedy)


def result_of(findings: list[dict]) -> dict:
    counts = [item["status"] for item in findings]
    return {"findings": findings, "failed": counts.count(FAILED), "warnings": counts.count(WARNING)}


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def verdict_lines(result: dict, name: str = "") -> list[str]:
    """The verdict to read: the count, then each failure and each warning with its remedy, then what is fine, in one line."""
    findings = result["findings"]
    of = f" of {name}" if name else ""
    if result["failed"]:
        head = f"Preflight{of}: {result['failed']} of {_many(len(findings), 'check')} failed"
    else:
        head = f"Preflight{of}: nothing in {_many(len(findings), 'check')} prevents a release"
    lines = [f"{head}{', ' + _many(result['warnings'], 'warning') if result['warnings'] else ''}."]
    for status, mark in ((FAILED, "FAILED "), (WARNING, "WARNING")):
        for item in findings:
            if item["status"] == status:
                lines.append(f"{mark} {item['check']}, {item['subject']}: {item['says']}")
                if item["remedy"]:
                    lines.append(f"        -> {item['remedy']}")
    fine: dict[str, int] = {}
    for item in findings:
        if item["status"] == OK:
            fine[item["check"]] = fine.get(item["check"], 0) + 1
    if fine:
        lines.append("OK      " + ", ".join(f"{check} ({count})" if count > 1 else check for check, count in fine.items()))
    return lines
