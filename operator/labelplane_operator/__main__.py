"""Runs the operator: `python -m labelplane_operator`, settings by LABELPLANE_* variables."""

import os
import sys

from labelplane_operator.errors import InvalidSettings
from labelplane_operator.process import run_operator
from labelplane_operator.settings import OperatorSettings


def main() -> int:
    """Run the operator and return the exit code: 2 for wrong settings."""
    try:
        return run_operator(OperatorSettings.from_environment(os.environ))
    except InvalidSettings as error:
        sys.stderr.write(f"labelplane operator: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
