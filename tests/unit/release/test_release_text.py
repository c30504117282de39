"""What a person reads at the end of a release."""

import pytest
from ansible_collections.atena.aws.plugins.module_utils.release.text import summary

SERVICE = {"name": "a-api", "task_definition": "arn:aws:ecs:x:1:task-definition/a-api:3", "previous": "arn:aws:ecs:x:1:task-definition/a-api:2"}
BASE = {"changed": True, "release": "0123abc", "release_id": "r1", "services": [SERVICE], "migration": None, "health": None, "duration_seconds": 9.1}


@pytest.mark.parametrize(
    "result, lines",
    [
        ({"outcome": "succeeded"}, ["Released 0123abc in 9.1 s, recorded as r1", "a-api: a-api:3 (before: a-api:2)"]),
        (
            {"outcome": "succeeded", "services": [], "counts_kept": [{"name": "a-api", "count": 2, "configured": 4}]},
            [
                "Released 0123abc in 9.1 s, recorded as r1",
                "a-api: count 2 as before; desired_count (4) is the first release's alone, scale.yml changes it from then on",
            ],
        ),
        ({"outcome": "nothing_to_do", "services": []}, ["Nothing to do: 0123abc already runs"]),
        ({"outcome": "predicted", "would": ["Would change a-api: memory"], "services": []}, ["Would release 0123abc", "Would change a-api: memory"]),
        ({"outcome": "predicted", "changed": False, "would": [], "services": []}, ["Nothing to do: 0123abc already runs"]),
        (
            {
                "outcome": "succeeded",
                "services": [],
                "migration": {"duration_seconds": 1.5, "logs": ["2 applied"]},
                "address": "http://x",
                "health": {"status": 200, "content": "fine"},
            },
            ["Released 0123abc in 9.1 s, recorded as r1", "Migrated in 1.5 s", "  2 applied", "Address: http://x", "Health: 200 fine"],
        ),
    ],
)
def test_the_summary_says_what_was_done(result, lines):
    assert summary({**BASE, **result}) == lines
