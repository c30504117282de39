"""What vanished between two ends of a change, and what stands in its place."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from diff import other_source, python_source
from diff.git import Change
from diff.statements import Statement, Unreadable

# A statement this much alike in the same function stands in the place of one that is gone; a test with this many of its lines is that test.
_ALIKE, _SAME_TEST = 0.4, 0.5
_PYTHON = re.compile(rb"#!.*\bpython")


@dataclass
class Compared:
    """lost: (what is gone, what stands in its place or None). moved: (from, to). unread: {file: why}."""

    lost: list[tuple[Statement, Statement | None]] = field(default_factory=list)
    moved: list[tuple[Statement, Statement]] = field(default_factory=list)
    skips: list[Statement] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


def read(file: str, content: bytes) -> list[Statement]:
    """Raises Unreadable."""
    reader = None
    if file.endswith(".py") or ("." not in file.rsplit("/", 1)[-1] and _PYTHON.match(content)):
        reader = python_source.statements
    elif file.endswith((".yml", ".yaml")) and file.startswith(("roles/", "playbooks/", "extensions/")):
        reader = other_source.tasks
    elif file.endswith(".tf"):
        reader = other_source.conditions
    if reader is None:
        return []
    try:
        return reader(file, content.decode())
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is no UTF-8: {error}") from error


def compare(changes: list[Change]) -> Compared:
    result, before, after, renamed = Compared(), [], [], {}
    for change in changes:
        try:
            ends = []
            for end, path, content in (("before", change.old, change.before), ("now", change.new, change.after)):
                try:
                    ends.append(read(path, content) if path and content is not None else [])
                except Unreadable as error:
                    raise Unreadable(f"{end}, {error}") from error
        except Unreadable as error:
            result.unread[change.new or change.old or ""] = str(error)
            continue
        before += ends[0]
        after += ends[1]
        if change.old and change.new:
            renamed[change.old] = change.new
    names = _renamed_tests(before, after)
    before = [replace(entry, function=names.get(entry.function, entry.function)) if entry.kind == "case" else entry for entry in before]
    gone, new = _difference(before, after), _difference(after, before)
    tests = {id(entry) for entry in _tests_gone(before, after, renamed, names)}
    gone = [entry for entry in gone if (id(entry) in tests if entry.kind == "test" else entry.kind != "skip")]
    result.skips = _skips_added(new, before, renamed, names)
    result.moved = _moved(before, after)
    result.lost = _paired(gone, [entry for entry in new if entry.kind not in ("test", "skip")], renamed, names)
    return result


def _tests_gone(before: list[Statement], after: list[Statement], renamed: dict[str, str], names: dict[str, str]) -> list[Statement]:
    """Those that are under no name in no file. What the others do otherwise than before is told by their statements."""
    old = {(renamed.get(entry.file, entry.file), entry.function): entry for entry in before if entry.kind == "test"}
    new = [(entry.file, entry.function) for entry in after if entry.kind == "test"]
    came = Counter(function for file, function in new if (file, function) not in old)
    found = []
    for place, entry in old.items():
        if place in new:
            continue
        now = names.get(entry.function, entry.function)
        if came[now]:
            came[now] -= 1
        else:
            found.append(entry)
    return found


def _skips_added(new: list[Statement], before: list[Statement], renamed: dict[str, str], names: dict[str, str]) -> list[Statement]:
    """To what there was: a test that is new may be left out wherever it likes."""
    files = {renamed.get(entry.file, entry.file) for entry in before}
    tests = {names.get(entry.function, entry.function) for entry in before if entry.kind == "test"}
    return [
        entry
        for entry in new
        if entry.kind == "skip" and (entry.function in tests if entry.function.rsplit(".", 1)[-1].startswith("test_") else entry.file in files)
    ]


def _difference(these: list[Statement], those: list[Statement]) -> list[Statement]:
    """What there is less of among `those`, as often as it is less; of several that say the same, those of functions which have less of it."""
    less = Counter(entry.claim for entry in these)
    less.subtract(Counter(entry.claim for entry in those))
    there = Counter((entry.claim, entry.file, entry.function) for entry in those)
    found, rest = [], []
    for entry in these:
        if less[entry.claim] <= 0:
            continue
        place = (entry.claim, entry.file, entry.function)
        if there[place] > 0:
            there[place] -= 1
            rest.append(entry)
        else:
            less[entry.claim] -= 1
            found.append(entry)
    for entry in rest:
        if less[entry.claim] > 0:
            less[entry.claim] -= 1
            found.append(entry)
    return found


def _moved(before: list[Statement], after: list[Statement]) -> list[tuple[Statement, Statement]]:
    """What left one function and came to another: equal in number over the whole, so no loss, but perhaps no move either."""

    def places(entries):
        found = defaultdict(list)
        for entry in entries:
            found[entry.claim, entry.file, entry.function].append(entry)
        return found

    old, new, left, came = places(before), places(after), defaultdict(list), defaultdict(list)
    for these, those, into in ((old, new, left), (new, old, came)):
        for place, entries in these.items():
            into[place[0]] += entries[len(those.get(place, [])) :]
    return [pair for claim, entries in left.items() for pair in zip(entries, came.get(claim, []), strict=False)]


def _renamed_tests(before: list[Statement], after: list[Statement]) -> dict[str, str]:
    """{old name: new name} of tests whose name is gone, by what they do."""
    old = {entry.function: entry for entry in before if entry.kind == "test"}
    new = {entry.function: entry for entry in after if entry.kind == "test"}
    alike = []
    for name in old.keys() - new.keys():
        for other in new.keys() - old.keys():
            lines, others = Counter(old[name].body), Counter(new[other].body)
            share = 2 * (lines & others).total() / max(1, lines.total() + others.total())
            if share >= _SAME_TEST:
                alike.append((-share, name, other))
    found: dict[str, str] = {}
    for _share, name, other in sorted(alike):
        if name not in found and other not in found.values():
            found[name] = other
    return found


def _paired(gone: list[Statement], new: list[Statement], renamed: dict[str, str], names: dict[str, str]) -> list[tuple[Statement, Statement | None]]:
    """Each that is gone with the closest new one of its kind in the same function, or in that which has its name now; each new one once."""

    there = defaultdict(list)
    for number, other in enumerate(new):
        there[other.kind, other.function].append((number, other))
    ratios = []
    for at, entry in enumerate(gone):
        function = names.get(entry.function, entry.function)
        for number, other in there[entry.kind, function]:
            # In another file only a function that went there: with a name, and not one that both files have.
            same_file = other.file == renamed.get(entry.file, entry.file)
            if not same_file and (not function or entry.file in renamed and entry.function not in names):
                continue
            ratio = difflib.SequenceMatcher(None, entry.itself, other.itself, autojunk=False).ratio()
            if ratio >= _ALIKE:
                ratios.append((not same_file, -ratio, at, number))
    pairs, taken = {}, set()
    for _elsewhere, _ratio, at, number in sorted(ratios):
        if at not in pairs and number not in taken:
            pairs[at] = number
            taken.add(number)
    # What moved and stands under another condition there, or under none.
    left = defaultdict(list)
    for number, other in enumerate(new):
        if number not in taken:
            left[other.kind, other.itself].append(number)
    for at, entry in enumerate(gone):
        if at not in pairs and left[entry.kind, entry.itself]:
            pairs[at] = left[entry.kind, entry.itself].pop(0)
    return [(entry, new[pairs[at]] if at in pairs else None) for at, entry in enumerate(gone)]
