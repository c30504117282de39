# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which finding is the consequence of which, and in which order they are told. No call to AWS here.

A consequence comes after its cause, whatever is more certain, and has no remedy of its own. What is wrong now comes first, what is over last, the newest first.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.atena.aws.plugins.module_utils.diagnosis.codes import POSITION, explains
from ansible_collections.atena.aws.plugins.module_utils.diagnosis.findings import CERTAIN, Found, Shown

_HEADER = "last log lines of "
_FOLDED_LINES = 3


def ordered(found: Iterable[Found]) -> list[Found]:
    """What the rules found, as it is told."""
    merged = _merged(found)
    _explain(merged)
    kept = _without_folded(merged)
    kept = _without_explained_incidents(kept)
    result = sorted(_twins_joined(sorted(kept, key=_weight)), key=_weight)
    over = sorted((item for item in result if item.over), key=lambda item: item.at, reverse=True)
    told = [*(item for item in result if not item.over), *over]
    _each_line_once(told)
    return told


def _weight(found: Found) -> tuple[bool, bool, bool, bool, int, str]:
    return found.over, found.minor, bool(found.caused_by), found.certainty != CERTAIN, POSITION[found.code], found.resource


def _merged(found: Iterable[Found]) -> list[Found]:
    """One finding for one cause. What is over is one for each incident; of what is wrong now the newest incident is the evidence."""
    result: dict[tuple[str, str, bool, str], Found] = {}
    for item in sorted(found, key=lambda item: (item.at == "", item.at), reverse=True):
        key = (item.code, item.resource, item.over, item.incident if item.over else "")
        known = result.setdefault(key, item)
        if known is item:
            continue
        if item.incident and known.incident and item.incident != known.incident:
            continue
        known.incident = known.incident or item.incident
        known.take(item)
    return list(result.values())


def _causes(item: Found, among: Iterable[Found]) -> list[Found]:
    same_time = [other for other in among if other is not item and other.over == item.over and (not item.over or other.incident == item.incident)]
    return [other for other in same_time if explains(other.code, item.code) and other.touches(item)]


def _explain(found: list[Found]) -> None:
    """Names for each consequence the deepest of its causes, which itself has none."""
    for item in found:
        causes = _causes(item, found)
        roots = [cause for cause in causes if not _causes(cause, found)] or causes
        if roots:
            item.caused_by = min(roots, key=_weight).code


def _without_folded(found: list[Found]) -> list[Found]:
    """A complaint about a part that is known to be broken is evidence of that."""
    kept = []
    for item in found:
        cause = next((other for other in _causes(item, found) if other.code == item.caused_by), None) if item.folds else None
        if cause:
            cause.add(item.evidence[:_FOLDED_LINES])
        else:
            kept.append(item)
    return kept


def _without_explained_incidents(found: list[Found]) -> list[Found]:
    """What is over is one line an incident: that of its cause, which may well be there still."""
    current = [item for item in found if not item.over and item.incident]
    return [item for item in found if not (item.over and (item.caused_by or _belongs_to(item, current)))]


def _belongs_to(item: Found, current: Iterable[Found]) -> bool:
    return any(other.incident == item.incident and explains(other.code, item.code) for other in current)


def _twins_joined(found: Iterable[Found]) -> list[Found]:
    kept: list[Found] = []
    for item in found:
        twin = next((other for other in kept if item.is_twin(other)), None)
        if twin:
            twin.resource = f"{twin.resource}, {item.resource}"
            twin.concerns = (*twin.concerns, *item.concerns)
            twin.add(item.evidence)
            twin.at = max(twin.at, item.at)
        else:
            kept.append(item)
    return kept


def _each_line_once(found: Iterable[Found]) -> None:
    """A log line stands with the first finding that it shows."""
    seen: set[str] = set()
    for item in found:
        lines: list[Shown] = []
        for line in item.evidence:
            if line.log and line.log in seen:
                continue
            if lines and lines[-1].text.startswith(_HEADER) and not line.log:
                lines.pop()  # all that was below it stands elsewhere
            seen.add(line.log)
            lines.append(line)
        if lines and lines[-1].text.startswith(_HEADER):
            lines.pop()
        item.evidence = lines
