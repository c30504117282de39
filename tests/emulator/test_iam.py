"""What the emulator's extension decides of IAM, apart from the emulator."""

from extension.iam import policy_simulation


class TestSimulation:
    PARAMS = {
        "ActionNames.member.1": ["a:B"],
        "ResourceArns.member.1": ["one"],
        "ResourceArns.member.2": ["two & three"],
        "ContextEntries.member.1.ContextKeyName": ["kms:ViaService"],
        "ContextEntries.member.1.ContextKeyValues.member.1": ["ssm"],
        "ContextEntries.member.2.ContextKeyName": ["kms:ViaService"],
    }

    def test_each_action_is_judged_on_each_resource(self):
        answer = policy_simulation.results(self.PARAMS, lambda action, resource: "Allow" if resource == "one" else "Deny")
        assert answer.count("<member>") == 2
        assert "<EvalResourceName>two &amp; three</EvalResourceName><EvalDecision>explicitDeny" in answer

    def test_no_resource_is_every_one(self):
        assert "<EvalResourceName>*</EvalResourceName><EvalDecision>implicitDeny" in policy_simulation.results(
            {"ActionNames.member.1": ["a:B"]}, lambda *_: "ImplicitDeny"
        )

    def test_the_context_has_its_keys_in_lower_case(self):
        assert policy_simulation.context_of({key: value for key, value in self.PARAMS.items() if ".2." not in key}) == {"kms:viaservice": ["ssm"]}
        assert policy_simulation.context_of(self.PARAMS) == {"kms:viaservice": []}
