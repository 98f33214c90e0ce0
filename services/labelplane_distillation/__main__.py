"""Runs the distillation service: `python -m labelplane_distillation`, settings by LABELPLANE_* variables."""

from labelplane_core.leaving import leave
from labelplane_core.process import run_service
from labelplane_distillation.servicer import register

if __name__ == "__main__":
    leave(run_service(register, name="distillation"))
