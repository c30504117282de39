# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS's partitions (its commercial regions, China, the European Sovereign Cloud, ...): under which names they serve. botocore's data; no call to AWS here."""

from __future__ import annotations

import functools
import re

try:
    import botocore.loaders
except ImportError:
    pass  # AnsibleAWSModule says so


@functools.cache
def _partitions() -> list[dict]:
    return botocore.loaders.create_loader().load_data("partitions")["partitions"]


def _of(region: str) -> dict:
    """The outputs of a region's partition; of the commercial one for a region that botocore does not know, as botocore itself takes it."""
    every = _partitions()
    named = next((one for one in every if region in one["regions"]), None)
    alike = next((one for one in every if re.match(one["regionRegex"], region)), None)
    return (named or alike or every[0])["outputs"]


def dns_suffix(region: str) -> str:
    """What the names of AWS's servers for this region end with: amazonaws.com, amazonaws.com.cn, amazonaws.eu, ..."""
    return _of(region)["dnsSuffix"]


def global_region(region: str) -> str:
    """Where the region's partition serves what it serves in one region only."""
    return _of(region)["implicitGlobalRegion"]


@functools.cache
def _suffixes() -> list[tuple[str, str]]:
    """All partitions' (suffix, dual-stack suffix), each once."""
    return sorted({(one["outputs"]["dnsSuffix"], one["outputs"]["dualStackDnsSuffix"]) for one in _partitions()})


def is_endpoint(host: str) -> bool:
    """Whether AWS itself serves under this name, and no emulator or proxy."""
    return host.endswith(tuple(f".{suffix}" for pair in _suffixes() for suffix in pair))


@functools.cache
def ecr_registry() -> str:
    """A regular expression of a private registry's host, with the groups account and region: <account>.dkr.ecr.<region>.<suffix>.

    A dual-stack one is <account>.dkr-ecr.<region>.on.aws: the servers of containers have 'on' where those of APIs (api.aws) have 'api'.
    """
    region = "[a-z0-9-]+"
    single = "|".join(re.escape(suffix) for suffix, _dual in _suffixes())
    dual = "|".join(re.escape("on." + both.removeprefix("api.")) for _suffix, both in _suffixes() if both.startswith("api."))
    # One group for the region, as a name is there once: what comes before it tells which ending must follow.
    ended = [rf"{how}ecr(?:-fips)?(?=\.{region}\.(?:{suffixes})(?:/|$))" for how, suffixes in ((r"\.", single), ("-", dual))]
    return rf"(?P<account>\d{{12}})\.dkr(?:{'|'.join(ended)})\.(?P<region>{region})\.[a-z.-]+"
