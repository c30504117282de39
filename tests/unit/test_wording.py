"""What users read keeps to docs/contributing/wording.md - pages, messages, documentation: the old words are counted, and none is there without a reason."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# Others are rewritten on their own, or made from the plugins' documentation.
PAGES = [
    CHECKOUT / "README.md",
    *(
        CHECKOUT / "docs" / f"{name}.md"
        for name in (
            *("application", "architecture", "awx", "benchmark", "ci", "cost", "failure-handling", "first-hour", "https", "index", "install"),
            *("many-environments", "operating", "power", "recovery", "result-file", "runbook", "schedules", "secrets", "security", "status"),
            "supported-versions",
        )
    ),
    CHECKOUT / "lab" / "README.md",
    CHECKOUT / "tests" / "README.md",
    *sorted(CHECKOUT.glob("roles/*/README.md")),
]
# What people read of the code: messages and documentation of plugins, options of roles and what their tasks show, headers of playbooks, the changelog.
TEXTS = sorted(
    path
    for pattern in ("plugins/**/*.py", "plugins/filter/*.yml", "roles/*/*/*.yml", "playbooks/*.yml", "changelogs/fragments/*.yml")
    for path in CHECKOUT.glob(pattern)
    if "__pycache__" not in path.parts
)
OLD = {
    "tell": r"tells?|told|telling",
    "mend": r"mend(?:s|ed|ing)?",
    "anew": r"anew",
    "reckon": r"reckon(?:s|ed|ing)?",
    "stand": r"stands?|stood|standing",
    "get well, is well": r"(?:gets?|got|is|are|was|were|all|not|nobody) well(?! (?:below|above|within|known))",
    "let go of": r"lets? go of|letting go of",
    "take in": r"(?:takes?|taken|took) in(?: again)?(?=[\s.,;:]*(?:$|[^\w\s]|by|before|what|the))",
    "take away": r"(?:takes?|taken|took|taking)(?: \w+){0,2} away",
    "take back": r"(?:takes?|taken|took|taking)(?: \w+){0,2} back",
    "take out": r"(?:takes?|taken|took|taking)(?: \w+){0,2} out",
    "take up": r"(?:takes?|taken|took|taking)(?: \w+){0,2} up",
    "give back": r"(?:gives?|given|gave|giving)(?: \w+){0,2} back",
    "go back": r"(?:goes|go|going|went) back",
    "bring back": r"(?:brings?|brought|bringing)(?: [\w']+){0,4} back",
    "shut out": r"shuts? out|locked out",
    "go on": r"(?:goes|go|going|went) on",
    "has not ended": r"(?:has|have|had) not (?:ended|got to)|did not end|to (?:its|their) end",
    "say": r"says? (?:so|what|which|why|how|where|whose|who)|said so|so it says|that is said",
    "ask AWS": r"(?:ask|asks|asked|asking) (?:AWS|of|RDS|GitHub|for what|nobody)",
    "look at": r"look(?:s|ed|ing)? (?:at|for)",
    "see that": r"(?:see|sees|saw|seen|seeing) that",
    "prove": r"prov(?:e|es|ed|en|ing|es) (?:that|it|stable|first)|proved|proven",
    "made again": r"(?:make|makes|made|making)(?: \w+){0,2} again",
    "typed out": r"typed? out",
    "way out": r"ways? out",
    "side by side": r"side by side",
    "beside": r"besides?",
    "by the clock": r"by the clock",
    "by itself": r"by (?:itself|themselves)",
    "by hand": r"by hand",
    "on record": r"on record",
    "become of": r"(?:became|becomes|become) of",
    "die": r"dies|died",
    "will do": r"will do",
    "in the place of": r"(?:in|takes?) the place of",
    "turn round": r"turn round",
    "whose turn": r"who\w* turn|takes? turns|taking turns",
    "not one": r"not one",
    "meant to say": r"meant to say|wants to be told|want to be told",
}
# (page, old word): how often, and why that is right there.
ALLOWED = {
    ("docs/awx.md", "by the clock"): (1, "the name of a workflow in AWX"),
    ("docs/awx.md", "take back"): (1, "the name of an approval in AWX"),
    ("changelogs/fragments/unknown-is-not-failed.yml", "beside"): (1, "a key of a result"),
    ("plugins/modules/ecs_run_task.py", "beside"): (1, "a key of the result"),
    ("plugins/plugin_utils/screen.py", "prove"): (1, "a pattern over texts of earlier releases"),
    ("plugins/module_utils/ecs/rollout.py", "give back"): (1, "two messages, of which one ends before 'back'"),
    ("plugins/module_utils/git/cli.py", "die"): (1, "what git prints"),
}
# What a program printed, what is typed, and names: not prose.
QUOTED = (
    re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL),
    re.compile(r"^ {4,}.*$", re.MULTILINE),
    re.compile(r"`[^`]*`"),
    re.compile(r"\]\([^)]*\)"),
)


def prose(text: str) -> str:
    for quoted in QUOTED:
        text = quoted.sub(lambda found: "¤" + "\n" * found[0].count("\n"), text)
    return text


def counted(text: str) -> dict[str, list[str]]:
    """{old word: the places in which it is}."""
    text = re.sub(r"\s+", " ", prose(text))
    found = {
        word: [text[max(0, at.start() - 40) : at.end() + 30] for at in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE)] for word, pattern in OLD.items()
    }
    return {word: places for word, places in found.items() if places}


def messages(code: str) -> str:
    """The strings of a file but its docstrings and examples: an f-string as one, a value in it as a mark."""
    tree = ast.parse(code)
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documented = [node.body[0].value for node in ast.walk(tree) if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr)]
    parts = [part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values]
    skipped = {id(node) for node in [*documented, *parts]}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else "¤" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped and " " in node.value:
            found.append(node.value)
    return "\n\n".join(found)


def text_of(path: Path) -> str:
    """What people read in it, without the indentation by which a page marks what is quoted."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    text = re.sub(r"\b[A-Z]+\([^)]*\)", "¤", messages(text) if path.suffix == ".py" else text)
    return re.sub(r"^[ #]+", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", [*PAGES, *TEXTS], ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_a_page_has_none_of_the_old_words(page):
    name = str(page.relative_to(CHECKOUT))
    found = counted(text_of(page))
    wrong = {word: places for word, places in found.items() if len(places) != ALLOWED.get((name, word), (0, ""))[0]}
    assert wrong == {}, "docs/contributing/wording.md has the word to write instead"


def test_each_exception_is_still_needed_and_has_its_reason():
    gone = [(page, word) for page, word in ALLOWED if word not in counted(text_of(CHECKOUT / page))]
    assert gone == [] and all(reason for _, reason in ALLOWED.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Drift is told, and no failure.", ["tell"]),
        ("It gives the environment's\nlock back.", []),
        ("Then it gives it back.", ["give back"]),
        ("If the new tasks do not get well, run\nit again and it goes on.", ["get well, is well", "go on"]),
        ("Only quoted: `tell` and\n\n    told: all well\n\n```\nanew\n```\nhere.", []),
        ("See [the drawing](how-it-stands.md#told).", []),
        ("It reports the result as well.", []),
    ],
)
def test_the_old_words_are_found_in_prose_only(text, words):
    assert list(counted(text)) == words
