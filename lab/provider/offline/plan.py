"""Planning, refreshing and completing: pure functions over (schema, configuration, prior state, what AWS says)."""

from __future__ import annotations

from typing import Any

from .schema import Attr, Block, Nested
from .values import Unknown, coerce, is_empty, is_known, match_sets, same

Values = dict[str, Any]
MISSING = object()


def alike(attr: Attr, left: Any, right: Any) -> bool:
    if same(left, right, attr.type):
        return True
    return bool(attr.equal) and is_known([left, right]) and None not in (left, right) and attr.equal(left, right)


def null_object(block: Block) -> Values:
    return {**dict.fromkeys(block.attrs), **{name: None if nested.nesting == "single" else [] for name, nested in block.blocks.items()}}


# -- planning: what will the resource be, given the configuration and what it is -------------------------------------------------


def plan_block(block: Block, config: Values, prior: Values | None) -> Values:
    planned = {name: plan_attr(attr, config.get(name), prior) for name, attr in block.attrs.items()}
    for name, nested in block.blocks.items():
        planned[name] = plan_nested(nested, config.get(name), None if prior is None else prior.get(name))
    return planned


def plan_attr(attr: Attr, configured: Any, prior: Values | None) -> Any:
    before = prior.get(attr.name) if prior else None
    if configured is None and attr.default is not None:
        configured = attr.default
    if configured is None:
        if attr.computed:
            return Unknown if prior is None else before
        return before if is_empty(before) else None
    if prior is not None and is_known(configured) and before is not None and alike(attr, configured, before):
        return before
    return configured


def plan_nested(nested: Nested, configured: Any, prior: Any) -> Any:
    if configured is Unknown:
        return Unknown
    if nested.nesting == "single":
        return None if configured is None else plan_block(nested.block, configured, prior)
    configured = configured or []
    if not configured and nested.computed:
        return Unknown if prior is None else prior
    before = prior if isinstance(prior, list) else []
    if nested.nesting == "list":
        padded = [*before, *[None] * len(configured)]
        return [plan_block(nested.block, item, old) for item, old in zip(configured, padded, strict=False)]
    rest, planned = list(before), []
    for item in configured:
        # An element of a set has no name: the same element as before is the one that planning leaves as it was.
        kept = next((old for old in rest if plan_block(nested.block, item, old) == old), None)
        if kept is None:
            planned.append(plan_block(nested.block, item, None))
        else:
            rest.remove(kept)
            planned.append(kept)
    return planned


def changed_names(block: Block, prior: Values, planned: Values) -> list[str]:
    """The arguments and blocks at the top whose planned value means something else than the prior one."""
    names = [name for name, attr in block.attrs.items() if not alike(attr, prior.get(name), planned.get(name))]
    return names + [name for name in block.blocks if not same_block(block.blocks[name], prior.get(name), planned.get(name))]


def same_block(nested: Nested, left: Any, right: Any) -> bool:
    if left is Unknown or right is Unknown:
        return left is right
    if nested.nesting == "single":
        return same(left, right)
    left, right = left or [], right or []
    if nested.nesting == "set" and len(left) == len(right):
        return match_sets(left, right, lambda a, b: same_items(nested.block, a, b)) is not None
    if len(left) != len(right):
        return is_empty(left) and is_empty(right)
    return all(same_items(nested.block, a, b) for a, b in zip(left, right, strict=True))


def same_items(block: Block, left: Values, right: Values) -> bool:
    return not changed_names(block, left, right)


def replacements(block: Block, prior: Values, planned: Values) -> list[str]:
    """The changed names at the top that AWS cannot change in place, at whatever depth the reason lies."""
    names = []
    for name in changed_names(block, prior, planned):
        if name in block.attrs:
            if block.attrs[name].force_new:
                names.append(name)
        elif block.blocks[name].force_new or _inner_replacement(block.blocks[name], prior.get(name), planned.get(name)):
            names.append(name)
    return names


def _inner_replacement(nested: Nested, before: Any, after: Any) -> bool:
    if not (isinstance(before, list) and isinstance(after, list)) or len(before) != len(after):
        return False
    return any(replacements(nested.block, old, new) for old, new in zip(before, after, strict=True))


# -- refreshing: what the state becomes, given what AWS says ---------------------------------------------------------------------


def refresh_block(block: Block, state: Values | None, found: Values) -> Values:
    """`found` has a key for each thing that can be read at all; everything else stays as the state has it."""
    state = null_object(block) if state is None else state
    new = {name: refresh_attr(attr, state.get(name), found.get(name, MISSING)) for name, attr in block.attrs.items()}
    for name, nested in block.blocks.items():
        new[name] = refresh_nested(nested, state.get(name), found.get(name, MISSING))
    return new


def refresh_attr(attr: Attr, old: Any, found: Any) -> Any:
    if found is MISSING:
        return old
    value = coerce(found, attr.type)
    if old is not None and alike(attr, old, value):
        return old  # the state keeps its spelling
    if is_empty(value) and attr.computed is False:
        # What must be said is never null in the configuration, and so not in what was imported.
        return value if isinstance(value, (bool, int, float)) and (old is not None or attr.required) else None
    return value


def refresh_nested(nested: Nested, old: Any, found: Any) -> Any:
    if found is MISSING or nested.nesting == "single":
        return old
    old, found = old or [], found or []
    if not old and is_empty(found):
        return []
    if nested.nesting == "list":
        padded = [*old, *[None] * len(found)]
        return [refresh_block(nested.block, item, new) for item, new in zip(padded, found, strict=False)]
    rest, new = list(old), []
    for item in found:
        kept = next((one for one in rest if same_items(nested.block, one, refresh_block(nested.block, one, item))), None)
        if kept is None:
            new.append(refresh_block(nested.block, None, item))
        else:
            rest.remove(kept)
            new.append(kept)
    return new


# -- completing: after an apply, what was planned stays, and only what was unknown is filled in ----------------------------------


def complete_block(block: Block, planned: Values, found: Values) -> Values:
    done = {}
    for name, attr in block.attrs.items():
        done[name] = complete_value(planned.get(name), coerce(found.get(name), attr.type))
    for name, nested in block.blocks.items():
        value, actual = planned.get(name), found.get(name)
        if value is Unknown:
            done[name] = [refresh_block(nested.block, None, item) for item in actual or []]
        elif isinstance(value, list):
            done[name] = [complete_block(nested.block, item, other) for item, other in pair(nested, value, actual or [])]
        else:
            done[name] = value
    return done


def complete_value(planned: Any, found: Any) -> Any:
    if planned is Unknown:
        return None if found is Unknown else found
    if isinstance(planned, dict):
        return {key: complete_value(item, (found or {}).get(key)) for key, item in planned.items()}
    if isinstance(planned, list) and not is_known(planned):
        others = found if isinstance(found, list) and len(found) == len(planned) else [None] * len(planned)
        return [complete_value(item, other) for item, other in zip(planned, others, strict=True)]
    return planned


def pair(nested: Nested, planned: list[Values], found: list[Values]) -> list[tuple[Values, Values]]:
    """Which block that AWS returned belongs to which planned one: by position, in sets by all that was known."""
    pairs, rest = [], list(found)
    for index, item in enumerate(planned):
        if nested.nesting == "list":
            pairs.append((item, found[index] if index < len(found) else {}))
            continue
        match = next((other for other in rest if agrees(nested.block, item, other)), {})
        if match:
            rest.remove(match)
        pairs.append((item, match))
    return pairs


def agrees(block: Block, planned: Values, found: Values) -> bool:
    known = (name for name in block.attrs if name in found and is_known(planned.get(name)) and planned.get(name) is not None)
    return all(same(planned[name], coerce(found[name], block.attrs[name].type), block.attrs[name].type) for name in known)
