"""The lab's certificate authority for databases: a root, and below it a subordinate that signs, as RDS has them. Kept in files; its keys are read by their
owner alone."""

from __future__ import annotations

import ipaddress
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IDENTIFIER = "rds-ca-rsa2048-g1"
BUNDLE = "rds-global-bundle.pem"
_YEARS = 10
_lock = threading.Lock()


@dataclass(frozen=True)
class Issued:
    """A server's certificate with those above it, and its key."""

    chain: bytes
    key: bytes
    valid_till: datetime


@dataclass(frozen=True)
class Authority:
    root: x509.Certificate
    subordinate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def valid_from(self) -> datetime:
        return self.root.not_valid_before_utc

    @property
    def valid_till(self) -> datetime:
        return self.root.not_valid_after_utc

    @property
    def thumbprint(self) -> str:
        """As DescribeCertificates has it."""
        return self.root.fingerprint(hashes.SHA1()).hex()

    def certificate(self, name: str, addresses: list[str], days: int) -> Issued:
        """For a server with this name and these addresses."""
        key = _key()
        alternatives = [x509.DNSName(name), *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses)]
        # A common name has 64 signs at the most; whoever checks a name looks at the alternatives.
        builder = _builder(name[:64], key, self.subordinate.subject, self.key, timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        made = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False).sign(self.key, hashes.SHA256())
        return Issued(b"".join(map(_pem, (made, self.subordinate, self.root))), _pem_of_key(key), made.not_valid_after_utc)


def ensure(directory: Path, region: str) -> Authority:
    """The authority in this directory, which is made if there is none."""
    with _lock:
        if not (directory / "subordinate.key").exists():
            _make(directory, region)
        key = serialization.load_pem_private_key((directory / "subordinate.key").read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        root, subordinate = (x509.load_pem_x509_certificate((directory / name).read_bytes()) for name in (BUNDLE, "subordinate.pem"))
        return Authority(root, subordinate, key)


def _make(directory: Path, region: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    root_key, key, years = _key(), _key(), timedelta(days=365 * _YEARS)
    root_name = _name(f"Amazon RDS {region} Root CA RSA2048 G1 (lab)")
    root = _authority(_builder(root_name, root_key, root_name, root_key, years), 1).sign(root_key, hashes.SHA256())
    subordinate_name = _name(f"Amazon RDS {region} Subordinate CA RSA2048 G1.A.1 (lab)")
    subordinate = _authority(_builder(subordinate_name, key, root_name, root_key, years), 0).sign(root_key, hashes.SHA256())
    (directory / BUNDLE).write_bytes(_pem(root))
    (directory / "subordinate.pem").write_bytes(_pem(subordinate))
    # The root signs nothing more, so its key is kept nowhere. The last of all is what tells that the others are there.
    descriptor = os.open(directory / "subordinate.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_pem_of_key(key))


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Amazon RDS"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "The lab of atena.aws"),
        ]
    )


def _builder(subject: x509.Name | str, key: rsa.RSAPrivateKey, issuer: x509.Name, issuers_key: rsa.RSAPrivateKey, lasts: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(subject) if isinstance(subject, str) else subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    # Clocks differ: what a container checks may be a moment ago for it.
    builder = builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + lasts)
    # Without this name of the signer's key, Python 3.13's strict checks refuse a certificate.
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuers_key.public_key()), critical=False)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _authority(builder: x509.CertificateBuilder, below: int) -> x509.CertificateBuilder:
    """below: how many authorities there may be under this one."""
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True).add_extension(_usage(signs=True), critical=True)


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
