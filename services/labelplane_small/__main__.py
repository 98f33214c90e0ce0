"""Runs all services of a job in one process: `python -m labelplane_small`, settings by LABELPLANE_* variables."""

from labelplane_core.leaving import leave
from labelplane_core.process import run_service
from labelplane_small.registration import register

if __name__ == "__main__":
    leave(run_service(register, name="small"))
