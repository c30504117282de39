"""One provider: its configuration, its rows, and what each request of Terraform means for them."""

from __future__ import annotations

from typing import Any

from . import plan as planning, schema, validate
from .failure import Failure
from .row import Row
from .rows import registry
from .values import Unknown, is_known, same

Values = dict[str, Any]


class Provider:
    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: dict[str, Row] = {row.type: row for row in registry.rows(name)}
        self.data: dict[str, Any] = {source.type: source for source in registry.data(name)}
        self.config_block = schema.build(schema.source(name)["config"])
        self.backend: Any = registry.backend(name)

    def full_name(self) -> str:
        return f"registry.terraform.io/hashicorp/{self.name}"

    def warm(self) -> None:
        """Reads what every process that is forked from this one would read again."""
        self.backend.warm(sorted({row.service for row in self.rows.values()}))

    # -- configuration ---------------------------------------------------------------------------------------------------------

    def validate_config(self, config: Values) -> list[validate.Problem]:
        return self.backend.validate(config)

    def configure(self, config: Values) -> None:
        self.backend.configure(config)

    # -- validation ------------------------------------------------------------------------------------------------------------

    def validate_resource(self, type_name: str, config: Values) -> list[validate.Problem]:
        row = self.rows[type_name]
        return [
            *validate.check_block(row.block, config),
            *validate.conflicts(config, *row.marks.conflicts),
            *validate.exactly_one(config, *row.marks.exactly_one),
        ]

    def validate_data(self, type_name: str, config: Values) -> list[validate.Problem]:
        return validate.check_block(self.data[type_name].block, config)

    # -- the life of a resource ------------------------------------------------------------------------------------------------

    def upgrade(self, type_name: str, state: Values) -> Values:
        block = self.rows[type_name].block
        return {**planning.null_object(block), **{name: value for name, value in state.items() if block.has(name)}}

    def plan(self, type_name: str, prior: Values | None, config: Values) -> tuple[Values, list[str], list[validate.Problem]]:
        row = self.rows[type_name]
        planned = planning.plan_block(row.block, config, prior)
        self._plan_common(row, planned, prior, config)
        foreign = self.backend.unsupported(row, config)
        if foreign:
            what = f"The lab's test double of {type_name} does nothing with it: see lab/provider/README.md on how to add it."
            return planned, [], [([name.split(".")[0]], f'"{name}" is not supported by the offline provider', what) for name in foreign]
        if prior is None:
            return planned, [], []
        changed = planning.changed_names(row.block, prior, planned)
        if not changed:
            return prior, [], []
        for name in row.marks.volatile:
            if config.get(name) is None:
                planned[name] = Unknown
        return planned, [*planning.replacements(row.block, prior, planned), *row.replaced_for(prior, planned)], []

    def _plan_common(self, row: Row, planned: Values, prior: Values | None, config: Values) -> None:
        if "tags_all" in planned:
            tags = config.get("tags")
            everything = Unknown if tags is Unknown else {**self.backend.default_tags, **(tags or {})}
            planned["tags_all"] = everything
            if prior and is_known(everything) and same(prior.get("tags_all"), everything, ["map", "string"]):
                planned["tags_all"] = prior["tags_all"]
        if planned.get("region", "") is Unknown:
            planned["region"] = self.backend.region

    def apply(self, type_name: str, prior: Values | None, planned: Values | None) -> tuple[Values | None, Failure | None]:
        row = self.rows[type_name]
        if planned is None:
            self.backend.delete(row, prior)
            return None, None
        if prior is None:
            return self._create(row, planned)
        found = self.backend.update(row, prior, planned, planning.changed_names(row.block, prior, planned))
        return planning.complete_block(row.block, planned, found), None

    def _create(self, row: Row, planned: Values) -> tuple[Values | None, Failure | None]:
        """Whatever fails once AWS has given an id, the state has to hold that id: Terraform then marks the resource tainted."""
        known: Values = {}
        try:
            found = self.backend.create(row, planned, known)
        except Failure as failure:
            if not known.get("id"):
                return None, failure
            return planning.complete_block(row.block, planned, known), failure
        return planning.complete_block(row.block, planned, found), None

    def read(self, type_name: str, state: Values) -> Values | None:
        row = self.rows[type_name]
        found = self.backend.read(row, state)
        return None if found is None else planning.refresh_block(row.block, state, found)

    def import_state(self, type_name: str, identifier: str) -> Values:
        """The least that a read needs; Terraform reads right after, and what AWS cannot tell stays as the provider's defaults are."""
        row = self.rows[type_name]
        defaults = {name: attr.default for name, attr in row.block.attrs.items()}
        region = {"region": self.backend.region} if row.block.has("region") else {}
        return {**planning.null_object(row.block), **defaults, **region, **self.backend.import_state(row, identifier)}

    def read_data(self, type_name: str, config: Values) -> Values:
        source = self.data[type_name]
        return planning.refresh_block(source.block, config, source.read(self.backend, config))
