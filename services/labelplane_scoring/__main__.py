"""Runs the scoring service: `python -m labelplane_scoring`, settings by LABELPLANE_* variables."""

from labelplane_core.leaving import leave
from labelplane_core.process import run_service
from labelplane_scoring.servicer import register

if __name__ == "__main__":
    leave(run_service(register, name="scoring"))
