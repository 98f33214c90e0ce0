"""What is generated from the types: the CRD, its reference page and a JSON schema for editors.

`python -m labelplane_api.crd` writes the three files; `--check` compares them with what is committed.
"""

from labelplane_api.crd.definition import build_crd, crd_yaml
from labelplane_api.crd.files import GENERATED, differing, rendered
from labelplane_api.crd.reference import reference_page
from labelplane_api.crd.structural import structural_schema

__all__ = [
    "GENERATED",
    "build_crd",
    "crd_yaml",
    "differing",
    "reference_page",
    "rendered",
    "structural_schema",
]
