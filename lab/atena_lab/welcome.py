"""`lab/lab welcome`: where the application answers, and what to try next."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from . import emulator, settings
from .report import LabError, say
from .settings import Settings


def greet(lab: Settings) -> None:
    if emulator.running(lab) is None or not emulator.healthy(lab):
        raise LabError(f"The lab {lab.prefix} is not up.", "Start it: lab/lab up.")
    deployed = {name: found for name in load_balancers(lab) if (found := health(address(lab, name))) is not None}
    if not deployed:
        raise LabError(
            "No application answers in the lab yet.", "Deploy it: ansible-playbook -i inventories/lab playbooks/site.yml. If that was done: lab/lab logs api."
        )
    for name, (status, answer) in deployed.items():
        url = address(lab, name)
        say(f"\nThe application answers at {url} (version {str(answer.get('version', 'unknown'))[:12]}, health: {answer.get('status', status)})")
        say(f'  write a note    curl -X POST -d \'{{"text": "hello"}}\' {url}/notes')
        say(f"  read it         curl {url}/notes/<id>     (there once the worker has committed it)")
        say(f"  count the jobs  curl {url}/jobs")
    say(f"  a new version   commit in {shown(lab.app)}, then: ansible-playbook -i inventories/lab playbooks/deploy.yml")
    say('  look behind     lab/lab status, lab/lab logs api, or any AWS client after: eval "$(lab/lab env)"')
    say("  end it          lab/lab down")


def shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def address(lab: Settings, load_balancer: str) -> str:
    # A load balancer's own name does not resolve on this machine; the emulator takes its traffic at this path.
    return f"{lab.endpoint_url}/_alb/{load_balancer}"


def load_balancers(lab: Settings) -> list[str]:
    import boto3

    client = boto3.client(
        "elbv2", endpoint_url=lab.endpoint_url, region_name=settings.REGION, aws_access_key_id=lab.account, aws_secret_access_key=settings.SECRET_KEY
    )
    return sorted(balancer["LoadBalancerName"] for balancer in client.describe_load_balancers()["LoadBalancers"])


def health(url: str) -> tuple[int, dict[str, str]] | None:
    """The application's own account of itself; None where nothing of it answers."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            try:
                return error.code, json.load(error)
            except ValueError:
                return None
    except (OSError, ValueError):
        return None
