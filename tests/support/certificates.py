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


@dataclass(frozen=True)
class Authority:
    """A certificate authority: `own` signs what it issues."""

    own: Certificate
    folder: Path

    def issue(self, name: str, *, expired: bool = False, address: str = "127.0.0.1") -> Certificate:
        """Issue a certificate for a server at `address`, that of yesteryear when `expired`."""
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        request, settings = self.folder / f"{name}.csr", self.folder / f"{name}.cnf"
        settings.write_text(_ISSUING.format(folder=self.folder, address=address), encoding="utf-8")
        (self.folder / "index.txt").write_text("", encoding="utf-8")
        keys = ["-newkey", "rsa:2048", "-nodes", "-keyout", os.fspath(made.key), "-subj", f"/CN={name}"]
        _openssl("req", "-new", *keys, "-out", os.fspath(request))
        dates = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if expired else ["-days", "2"]
        signed = ["-cert", os.fspath(self.own.certificate), "-keyfile", os.fspath(self.own.key)]
        files = ["-in", os.fspath(request), "-out", os.fspath(made.certificate), "-config", os.fspath(settings)]
        _openssl("ca", "-batch", "-notext", *dates, *signed, *files)
        return made


_ISSUING = """
[ca]
default_ca = issuing
[issuing]
new_certs_dir = {folder}
database = {folder}/index.txt
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:{address}
"""


def make_authority(folder: Path, name: str = "authority") -> Authority:
    """Make an authority that nobody trusts yet, below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    own = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    rights = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    files = ["-keyout", os.fspath(own.key), "-out", os.fspath(own.certificate)]
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", *rights, *files)
    return Authority(own, folder)


def make_certificate(folder: Path, name: str = "server") -> Certificate:
    """Make a certificate for 127.0.0.1 below `folder`; a client trusts it by holding it as an authority."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", os.fspath(made.key), "-out", os.fspath(made.certificate)]
    _openssl(*request, *names, *files)
    return made


def _openssl(*arguments: str) -> None:
    subprocess.run([find_tool("openssl"), *arguments], check=True, capture_output=True)
