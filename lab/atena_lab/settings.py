"""What distinguishes one lab from another, read once from the environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .report import LabError

LAB_ROOT = Path(__file__).resolve().parent.parent
CHECKOUT = LAB_ROOT.parent

DEFAULT_PREFIX = "atena-lab"
DEFAULT_PORT = 4566
REGION = "us-east-1"
# MiniStack takes a 12-digit access key as the account's id, and any secret.
ACCOUNT = "000000000042"
SECRET_KEY = "lab-secret-access-key"

# Images belong to the machine, not to one lab: labs side by side share them.
IMAGE_NAMESPACE = "atena-lab"


@dataclass(frozen=True)
class Settings:
    prefix: str
    port: int
    directory: Path
    offline_provider: str  # auto, always, never
    account: str = ACCOUNT

    @property
    def endpoint_url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def network(self) -> str:
        return self.prefix

    @property
    def app(self) -> Path:
        return self.directory / "app"

    @property
    def bundle(self) -> Path:
        """The certificates of the emulator's authority for databases, which it makes when it starts."""
        return self.directory / "ca" / "rds-global-bundle.pem"

    @property
    def log(self) -> Path:
        return self.directory / "emulator.log"

    @property
    def pid_file(self) -> Path:
        return self.directory / "emulator.pid"

    @property
    def provider_pid_file(self) -> Path:
        return self.directory / "provider.pid"

    @property
    def provider_log(self) -> Path:
        return self.directory / "provider.log"

    @property
    def port_file(self) -> Path:
        return self.directory / "emulator.port"

    @property
    def terraform(self) -> Path:
        return self.directory / "terraform"


def read(environ: dict[str, str] | None = None) -> Settings:
    environ = dict(os.environ) if environ is None else environ
    prefix = environ.get("ATENA_LAB_PREFIX") or DEFAULT_PREFIX
    # The prefix becomes part of container, network and volume names.
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", prefix):
        raise LabError(
            f"ATENA_LAB_PREFIX is {prefix!r}, which cannot name containers.",
            "Use lower-case letters, digits and hyphens, a letter first, 31 characters at most.",
        )
    port_text = environ.get("ATENA_LAB_PORT") or str(DEFAULT_PORT)
    if not port_text.isdigit() or not 1 <= int(port_text) <= 65535:
        raise LabError(f"ATENA_LAB_PORT is {port_text!r}, which is not a TCP port.", "Use a number from 1 to 65535, e.g. 4566.")
    provider = environ.get("ATENA_LAB_OFFLINE_PROVIDER") or "auto"
    if provider not in ("auto", "always", "never"):
        raise LabError(f"ATENA_LAB_OFFLINE_PROVIDER is {provider!r}.", "Use auto, always or never.")
    directory = Path(environ.get("ATENA_LAB_DIR") or CHECKOUT / ".lab" / prefix).expanduser().absolute()
    return Settings(prefix=prefix, port=int(port_text), directory=directory, offline_provider=provider)


def shell_environment(settings: Settings, terraform_rc: Path | None, programs: Path | None = None, path: str = "") -> dict[str, str]:
    """The variables that point every AWS client, and Terraform, at this lab. programs: a directory to be found first in `path`."""
    values = {
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": settings.account,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "ATENA_LAB_PREFIX": settings.prefix,
        "ATENA_LAB_PORT": str(settings.port),
        "ATENA_LAB_DIR": str(settings.directory),
    }
    if terraform_rc is not None:
        values["TF_CLI_CONFIG_FILE"] = str(terraform_rc)
    if programs is not None:
        values["PATH"] = os.pathsep.join([str(programs), *(part for part in path.split(os.pathsep) if part != str(programs))])
    return values
