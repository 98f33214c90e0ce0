"""Exported models: ONNX graphs, weights as safetensors, and the configuration of a server."""

from labelplane_distillation.export.package import (
    ModelFacts,
    package_model,
    package_versions,
    triton_config,
    verify_export,
)

__all__ = ["ModelFacts", "package_model", "package_versions", "triton_config", "verify_export"]
