"""A certificate authority as RDS has it: a root that no program knows, an intermediate, and a server's certificate that is sent with the intermediate."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_ROOT = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
_INTERMEDIATE = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
_SERVER = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n"


@dataclass(frozen=True)
class Authority:
    """Paths. root: what a client may be given (RDS publishes its roots as a bundle). leaf: the server's own certificate, with its key."""

    root: Path
    leaf: Path
    intermediate: Path
    key: Path

    @property
    def chain(self) -> Path:
        """What RDS sends."""
        return self.sends(self.leaf, self.intermediate, self.root)

    def sends(self, *parts: Path) -> Path:
        """A file with these certificates in this order, for the server to send."""
        name = "-".join(part.stem for part in parts)
        path = self.key.with_name(f"sent-{name}.pem")
        path.write_text("".join(part.read_text() for part in parts))
        return path


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"openssl {arguments[0]} failed: {done.stderr.strip()}")


def _signed(directory: Path, name: str, subject: str, extensions: str, by: str) -> Path:
    key, request, certificate = (directory / f"{name}.{ending}" for ending in ("key", "csr", "pem"))
    settings = directory / f"{name}.cnf"
    settings.write_text(extensions)
    _openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={subject}")
    signer: list[str | Path] = ["-signkey", key] if by == name else ["-CA", directory / f"{by}.pem", "-CAkey", directory / f"{by}.key", "-CAcreateserial"]
    _openssl("x509", "-req", "-in", request, *signer, "-days", "30", "-sha256", "-extfile", settings, "-out", certificate)
    return certificate


def make(directory: Path, names: str) -> Authority:
    """names: as in subjectAltName, such as 'DNS:localhost'."""
    directory.mkdir(exist_ok=True)
    root = _signed(directory, "root", "A private root", _ROOT, "root")
    intermediate = _signed(directory, "intermediate", "A private intermediate", _INTERMEDIATE, "root")
    leaf = _signed(directory, "server", "the server", _SERVER.format(names=names), "intermediate")
    return Authority(root, leaf, intermediate, directory / "server.key")


def reissued(authority: Authority, names: str) -> Authority:
    """The same authority with a server's certificate for other names."""
    directory = authority.key.parent
    leaf = _signed(directory, "reissued", "the server", _SERVER.format(names=names), "intermediate")
    return Authority(authority.root, leaf, authority.intermediate, directory / "reissued.key")
