"""Writes the generated files of the API, or compares them: `python -m labelplane_api.crd [--check] [--root FOLDER]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labelplane_api.crd.files import differing, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with --check compare them; give 1 on a difference."""
    parser = argparse.ArgumentParser(prog="python -m labelplane_api.crd", description="Generate the CRD and its pages.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a committed file differs")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the repository (default: this folder)")
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.root)
        return 0
    differences = list(differing(options.root))
    for path in differences:
        sys.stderr.write(f"{path} differs from the types\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
