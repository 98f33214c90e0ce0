"""What hack/render-manifests makes of what Helm rendered."""

import yaml
from scripts import load_script

RENDERED = """\
# Source: labelplane/templates/deployment.yaml
kind: Deployment
metadata:
  name: b
  labels:
    app.kubernetes.io/managed-by: Helm
    helm.sh/chart: labelplane-0.1.0
    mine: "true"
spec:
  selector:
    matchLabels:
      mine: "true"
  template:
    metadata:
      labels:
        helm.sh/chart: labelplane-0.1.0
        mine: "true"
---
# A document that a switch has emptied.
---
kind: Service
metadata:
  name: a
"""


def test_the_labels_of_helm_go_and_everything_else_stays_in_its_order() -> None:
    text = load_script("render-manifests").build_manifests(RENDERED)

    assert text.startswith("# Written by `make generate` from charts/labelplane; do not edit.\n")
    deployment, service = yaml.safe_load_all(text)
    assert list(deployment) == ["kind", "metadata", "spec"]
    assert deployment["metadata"] == {"name": "b", "labels": {"mine": "true"}}
    assert deployment["spec"]["selector"] == {"matchLabels": {"mine": "true"}}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"mine": "true"}
    assert service == {"kind": "Service", "metadata": {"name": "a"}}
