"""Certificates for servers of the loopback address, made by openssl."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from real_parts import find_tool


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself, and its key."""

    certificate: Path
    key: Path


def make_certificate(folder: Path, name: str = "server") -> Certificate:
    """Make a certificate for 127.0.0.1 below `folder`; a client trusts it by holding it as an authority."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", os.fspath(made.key), "-out", os.fspath(made.certificate)]
    subprocess.run([find_tool("openssl"), *request, *names, *files], check=True, capture_output=True)
    return made
