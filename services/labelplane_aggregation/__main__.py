"""Runs the aggregation service: `python -m labelplane_aggregation`, settings by LABELPLANE_* variables."""

from labelplane_aggregation.servicer import register
from labelplane_core.leaving import leave
from labelplane_core.process import run_service

if __name__ == "__main__":
    leave(run_service(register, name="aggregation"))
