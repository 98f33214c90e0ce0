"""Runs the front of a cluster: `python -m labelplane_review.web`, settings by LABELPLANE_* variables."""

import os

from labelplane_core.leaving import leave
from labelplane_review.cluster.process import run_front

if __name__ == "__main__":
    leave(run_front(os.environ))
