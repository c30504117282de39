"""What stand-ins for core.calls.Caller share."""

from __future__ import annotations

import botocore.session
from ansible_collections.atena.aws.plugins.module_utils.core.calls import every_item
from ansible_collections.atena.aws.plugins.module_utils.environment import journal as power_journal
from ansible_collections.atena.aws.plugins.module_utils.environment.work_record import WorkRecord

SESSION = botocore.session.get_session()


def work(state, kind=WorkRecord, **more):
    """What a stop, a restore … wrote down, as it is read."""
    return kind.of({**power_journal.new("atena-prod"), "state": state, **more})


class Pages:
    """pages() over the stand-in's own calls, with the tokens and the end that botocore knows, as Caller has it: the stand-in answers page by page."""

    def pages(self, service, operation, doing, key, /, **arguments):
        return every_item(lambda **page: self(service, operation, doing, **page), SESSION, SESSION.get_service_model(service), operation, key, arguments)


class Asked(Pages):
    """A function that answers calls, with pages()."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, *what, **arguments):
        return self.answer(*what, **arguments)
