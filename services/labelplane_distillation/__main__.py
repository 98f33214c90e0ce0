"""Runs the distillation service: `python -m labelplane_distillation`, settings by LABELPLANE_* variables."""

import sys

from labelplane_core.process import run_service
from labelplane_distillation.servicer import register

if __name__ == "__main__":
    sys.exit(run_service(register, name="distillation"))
