"""Who is who on a cluster of one node: an own certificate authority, the keys it vouches for, and bearer tokens."""

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from real_parts import find_tool

__all__ = ["NodeIdentity", "make_identity"]

_USERS = {
    "admin": ("admin", "system:masters"),
    "kubelet": ("system:node:node-1", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", "system:node-proxier"),
    "scheduler": ("system:kube-scheduler", "system:kube-scheduler"),
}


@dataclass(frozen=True)
class NodeIdentity:
    """Files with keys and certificates, and the bearer token of each user."""

    authority: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path
    signing_key: Path
    tokens_file: Path
    tokens: dict[str, str]


def make_identity(folder: Path, address: str, *, service_address: str) -> NodeIdentity:
    """Make everything below a folder, for an API server at an address and at the Service `kubernetes`."""
    folder = folder / "identity"
    folder.mkdir(mode=0o700)
    authority, authority_key = folder / "ca.crt", folder / "ca.key"
    _openssl("req", "-x509", *_new_key(authority_key), "-subj", "/CN=e2e", "-days", "2", "-out", os.fspath(authority))
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
    alternatives = ",".join(
        [*(f"DNS:{name}" for name in names), *(f"IP:{ip}" for ip in (address, service_address, "127.0.0.1"))]
    )
    server = _signed(folder, "server", "/CN=kube-apiserver", f"subjectAltName={alternatives}")
    client = _signed(folder, "client", "/O=system:masters/CN=apiserver-to-kubelet", "extendedKeyUsage=clientAuth")
    signing_key = folder / "tokens.key"
    _openssl("genrsa", "-out", os.fspath(signing_key), "2048")
    tokens = {who: secrets.token_hex(16) for who in _USERS}
    tokens_file = folder / "tokens.csv"
    lines = (f'{tokens[who]},{name},{name},"{group}"\n' for who, (name, group) in _USERS.items())
    tokens_file.write_text("".join(lines))
    return NodeIdentity(authority, *server, *client, signing_key, tokens_file, tokens)


def _signed(folder: Path, name: str, subject: str, extension: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    authority = ("-CA", os.fspath(folder / "ca.crt"), "-CAkey", os.fspath(folder / "ca.key"))
    subject_words = ("-subj", subject, "-addext", extension, "-addext", "basicConstraints=critical,CA:FALSE")
    _openssl("req", "-x509", *_new_key(key), *authority, *subject_words, "-days", "2", "-out", os.fspath(certificate))
    return certificate, key


def _new_key(path: Path) -> tuple[str, ...]:
    return "-newkey", "rsa:2048", "-nodes", "-keyout", os.fspath(path)


def _openssl(*words: str) -> None:
    subprocess.run([find_tool("openssl"), *words], check=True, capture_output=True)
