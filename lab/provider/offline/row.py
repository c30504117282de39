"""One row describes the AWS operations behind one Terraform type (its attributes: schema/)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from . import schema

Values = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One AWS operation.

    `args` computes arguments from the resource's values. `take` names the attributes that are sent as well, matched by name to
    the operation's own input. `adjust` has the last word on the arguments."""

    operation: str = ""
    args: Callable[[Values], dict] = lambda v: {}
    take: str = ""
    adjust: Callable[[Values, dict], None] | None = None

    @property
    def names(self) -> list[str]:
        return self.take.split()


@dataclass(frozen=True)
class Update(Call):
    """What changes the attributes `take`: all of them in one call, or only those that changed, or each in a call of its own.

    `after_create` ones also set what the create operation cannot; `run` is for what one operation cannot do (it may return new
    values, as a new id), `always` runs it after a create even if nothing of `take` is set."""

    after_create: bool = False
    changed_only: bool = False
    one_by_one: bool = False
    run: Callable[[Any, Values | None, Values], Values | None] | None = None
    always: bool = False


@dataclass
class Row:
    type: str
    service: str = ""
    equal: dict[str, Callable[[Any, Any], bool]] = field(default_factory=dict)  # when two values mean the same, beyond values.same
    create: Call = Call()
    # (attribute, operation, what to do once it is there): another way to create it, where that attribute is set.
    create_from: tuple[str, Call, Callable[[Any, Values], None]] | None = None
    made: Callable[[Values, dict], Values] = lambda v, answer: {"id": v["name"]}
    updates: tuple[Update, ...] = ()
    read: Call = Call()
    at: str | Callable[[Values], str] = ""  # where in the answer the resource is, as JMESPath
    aliases: dict[str, str] = field(default_factory=dict)
    by_hand: str = ""  # blocks that `adjust` sends, because they are built differently in AWS
    got: Callable[[dict, Values, Any], Values] | None = None  # what the names alone do not translate
    # Arguments for whose change the real provider makes a new resource in some cases only.
    replaced_for: Callable[[Values, Values], list[str]] = lambda prior, planned: []
    unread: str = ""  # not what it seems in the answer, or missing in it
    local: str = ""  # arguments for the provider itself, of which AWS never hears
    is_gone: Callable[[dict], bool] = lambda answer: False
    settle: Callable[[dict], bool] | None = None
    busy: tuple[str, int] = ("", 0)  # a code with which AWS refuses to delete for now, and for how many seconds it is tried again
    delete: Call = Call()
    before_delete: Callable[[Any, Values], None] | None = None
    keep: Callable[[Values], bool] | None = None
    tags: str = ""
    tagging: str = ""  # which entry of tagging.py, if not its service's
    name_max: int = 0
    imports: Callable[[str, Any], Values] = lambda identifier, ctx: {"id": identifier}

    def at_path(self, values: Values) -> str:
        return self.at if isinstance(self.at, str) else self.at(values)

    def creation(self, values: Values) -> Call:
        return self.create_from[1] if self.create_from and values.get(self.create_from[0]) else self.create

    @property
    def provider(self) -> str:
        return self.type.split("_", 1)[0]

    @cached_property
    def spec(self) -> dict:
        return schema.source(self.provider)["resources"][self.type]

    @cached_property
    def marks(self) -> schema.Marks:
        return schema.marks(self.type, self.spec["attrs"])

    @cached_property
    def block(self) -> schema.Block:
        block = schema.build(self.spec, self.marks)
        for name, equal in self.equal.items():
            block.attrs[name].equal = equal
        return block

    @cached_property
    def legacy(self) -> bool:
        """Terraform lets only SDK-style providers keep blocks that the configuration does not have."""
        return any(nested.computed for nested in self.block.blocks.values())
