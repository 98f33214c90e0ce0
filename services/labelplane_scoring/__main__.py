"""Runs the scoring service: `python -m labelplane_scoring`, settings by LABELPLANE_* variables."""

import sys

from labelplane_core.process import run_service
from labelplane_scoring.servicer import register

if __name__ == "__main__":
    sys.exit(run_service(register, name="scoring"))
