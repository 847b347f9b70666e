"""Certificates for many loopback addresses, made anew for each run, in a folder that goes with it.

An authority signs an intermediate one, and that signs a certificate for each hundred addresses: about as many names as
large hosts of the web put into one. Keys are ECDSA (P-256) and RSA (2048 bits) in turn; authorities have ECDSA keys.
"""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

__all__ = ["AUTHORITY", "contexts", "make"]

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

AUTHORITY = "ca.pem"
_KEYS = (lambda: ec.generate_private_key(ec.SECP256R1()), lambda: rsa.generate_private_key(65_537, 2048))
_NAMES = 100
_VALID = dt.timedelta(days=2)


class _Signer(NamedTuple):
    name: x509.Name
    key: Key


def _certificate(subject: str, key: Key, signer: _Signer | None, names: Sequence[str] = ()) -> x509.Certificate:
    """Sign a certificate: for these addresses, or that of an authority if there are none."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.name if signer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if signer:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
        made = made.add_extension(issuer, critical=False)
    if names:
        addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in names]
        made = made.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    return made.sign(signer.key if signer else key, hashes.SHA256())


def make(folder: Path, addresses: Sequence[str]) -> None:
    """Write the authority's certificate, and one with its chain and key for each hundred addresses."""
    root = _Signer(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web")]), _KEYS[0]())
    (folder / AUTHORITY).write_bytes(_pem(_certificate("web", root.key, None)))
    below = _Signer(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "below")]), _KEYS[0]())
    chain = _pem(_certificate("below", below.key, root))
    for number, start in enumerate(range(0, len(addresses), _NAMES)):
        names, key = addresses[start : start + _NAMES], _KEYS[number % len(_KEYS)]()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        own = _pem(_certificate(names[0], key, below, names))
        (folder / f"{number}.pem").write_bytes(own + chain + private)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def contexts(folder: Path, hosts: int) -> list[ssl.SSLContext]:
    """Return what a server needs for each host, in order; hosts of one certificate share it."""
    made = []
    for number in range(-(-hosts // _NAMES)):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / f"{number}.pem")
        made.append(context)
    return [made[host // _NAMES] for host in range(hosts)]
