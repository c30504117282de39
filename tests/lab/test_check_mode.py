"""Check mode writes nothing, counted at the wire, and predicts what the real run then does."""

import uuid

from wire import Wire


def checked(lab, playbook):
    with Wire(lab.endpoint) as wire:
        run = lab.playbook(playbook, "--check", "--diff", environment={"AWS_ENDPOINT_URL": wire.endpoint}).must_succeed()
    assert wire.calls
    assert wire.writes() == []
    return run


def test_site_predicts_nothing_where_nothing_is_to_be_done(lab):
    lab.playbook("deploy.yml").must_succeed()
    assert checked(lab, "site.yml").changed == 0


def test_deploy_predicts_a_release_and_the_release_does_it(lab):
    commit = lab.app.change("Something new", **{"packages/api/NOTES.md": f"{uuid.uuid4()}\n"})
    before = lab.revisions()
    predicted = checked(lab, "deploy.yml")
    assert f"Would release {commit}" in predicted.text
    assert "known-after-push" in predicted.output
    assert "Would run node packages/database/dist/migrate.js" in predicted.text
    assert lab.revisions() == before
    real = lab.playbook("deploy.yml").must_succeed()
    assert real.changed == predicted.changed > 0
    assert lab.revisions() != before


def test_site_predicts_what_infra_would_change(lab):
    try:
        with Wire(lab.endpoint) as wire:
            run = lab.playbook(
                "site.yml", "--check", "--diff", "-e", "atena_log_retention_days=14", environment={"AWS_ENDPOINT_URL": wire.endpoint}
            ).must_succeed()
    finally:
        # A plan is made in the working copy, which keeps the variable of this one until the next.
        lab.playbook("infra.yml").must_succeed()
    assert wire.writes() == []
    assert "aws_cloudwatch_log_group" in run.output
    assert run.changed == 1
