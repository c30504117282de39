"""The docker client's commands that the lab uses, through the command line so that they work before any package is installed."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path

from .process import run

# Put on every container, network and volume of a lab, with the lab's prefix as its value.
LABEL = "atena.lab"
ATTEMPTS = 3


def engine_version() -> str | None:
    """The engine's version, or None where no engine answers."""
    try:
        result = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}} {{.Server.Os}}"], capture_output=True, text=True, timeout=20, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    # An API too old for the client, or no socket: the client prints an error and fails.
    return result.stdout.split()[0] if result.returncode == 0 and result.stdout.split() else None


def image_label(image: str, label: str) -> str | None:
    """A label of a local image: None without the image, '' without the label."""
    result = run(["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', image], check=False)
    return None if result.returncode != 0 else result.stdout.strip().removeprefix("<no value>")


def image_exists(image: str) -> bool:
    return run(["docker", "image", "inspect", image], check=False).returncode == 0


def build(context: Path, dockerfile: Path, tag: str, *, args: dict[str, str], labels: dict[str, str]) -> None:
    command = ["docker", "build", "--quiet", "--force-rm", "--tag", tag, "--file", str(dockerfile)]
    for name, value in args.items():
        command += ["--build-arg", f"{name}={value}"]
    for name, value in labels.items():
        command += ["--label", f"{name}={value}"]
    run([*command, str(context)], timeout=900)


def owned(kind: str, prefix: str) -> list[str]:
    """Names of this lab's containers, volumes or networks."""
    filters = ["--filter", f"label={LABEL}={prefix}"]
    if kind == "container":
        command = ["docker", "ps", "--all", *filters, "--format", "{{.Names}}"]
    else:
        command = ["docker", kind, "ls", *filters, "--format", "{{.Name}}"]
    return run(command).stdout.split()


def remove(kind: str, names: list[str]) -> None:
    if not names:
        return
    command = ["docker", "rm", "--force", "--volumes"] if kind == "container" else ["docker", kind, "rm"]
    run([*command, *names], timeout=120)


def network_gateway(network: str) -> str | None:
    """The host's address on this network; None if there is no such network."""
    result = run(["docker", "network", "inspect", network], check=False)
    if result.returncode != 0:
        return None
    for config in json.loads(result.stdout)[0]["IPAM"]["Config"]:
        if "Gateway" in config:
            return config["Gateway"]
    return None


def create_network(network: str, prefix: str) -> str:
    """A network on a subnet that Docker finds free, of which it hands out the first half: the rest is for what keeps its address."""
    create = ["docker", "network", "create", "--label", f"{LABEL}={prefix}"]
    for _ in range(ATTEMPTS):
        run([*create, network])
        subnet, gateway = network_subnet(network), network_gateway(network)
        if subnet is None or gateway is None:
            return gateway or ""
        # Docker lets a container choose an address only where the subnet was chosen too.
        run(["docker", "network", "rm", network])
        chosen = ["--subnet", str(subnet), "--ip-range", str(next(subnet.subnets())), "--gateway", gateway]
        if run([*create, *chosen, network], check=False).returncode == 0:
            return gateway
    run([*create, network])  # somebody else took each subnet in between: then databases change their addresses
    return network_gateway(network) or ""


def network_subnet(network: str) -> ipaddress.IPv4Network | None:
    for config in json.loads(run(["docker", "network", "inspect", network]).stdout)[0]["IPAM"]["Config"]:
        subnet = ipaddress.ip_network(config["Subnet"])
        if isinstance(subnet, ipaddress.IPv4Network):
            return subnet
    return None


def containers(prefix: str) -> list[tuple[str, str]]:
    output = run(["docker", "ps", "--all", "--filter", f"label={LABEL}={prefix}", "--format", "{{.Names}}\t{{.Status}}"]).stdout
    return [(name, state) for name, _, state in (line.partition("\t") for line in sorted(output.splitlines()))]


def labs() -> set[str]:
    """The prefixes of all labs that have anything on this engine."""
    found = set()
    for command in (["docker", "ps", "--all"], ["docker", "network", "ls"]):
        found.update(run([*command, "--filter", f"label={LABEL}", "--format", f'{{{{.Label "{LABEL}"}}}}']).stdout.split())
    return found


def task_containers(prefix: str, container: str) -> list[str]:
    """Docker names of the containers that ECS knows by this name, the newest first."""
    filters = ["--filter", f"label={LABEL}={prefix}", "--filter", f"label=com.amazonaws.ecs.container-name={container}"]
    return run(["docker", "ps", "--all", *filters, "--format", "{{.Names}}"]).stdout.split()


def task_container_kinds(prefix: str) -> list[str]:
    output = run(["docker", "ps", "--all", "--filter", f"label={LABEL}={prefix}", "--format", '{{.Label "com.amazonaws.ecs.container-name"}}'])
    return output.stdout.split()


def remove_images_of(registry: str) -> int:
    """Remove what was tagged for, or pulled from, this registry; the same images under other names stay."""
    output = run(["docker", "image", "ls", "--digests", "--filter", f"reference={registry}/*", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"]).stdout
    references = set()
    for repository, tag, digest in (line.split() for line in output.splitlines()):
        references.update([f"{repository}:{tag}"] if tag != "<none>" else [])
        references.update([f"{repository}@{digest}"] if digest != "<none>" else [])
    # Tags before digests: the last name of an image takes the image with it.
    for reference in sorted(references, key=lambda name: "@" in name):
        run(["docker", "image", "rm", reference], check=False)
    return len(references)
