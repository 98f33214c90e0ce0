"""Tasks to a Label Studio server, and the annotations of its people back as votes."""

from labelplane_review.label_studio.assembly import ImageWay, LabelStudioParts, data_signer, label_studio_connector
from labelplane_review.label_studio.client import LabelStudioClient
from labelplane_review.label_studio.connector import LabelStudioConnector, ProjectWish

__all__ = [
    "ImageWay",
    "LabelStudioClient",
    "LabelStudioConnector",
    "LabelStudioParts",
    "ProjectWish",
    "data_signer",
    "label_studio_connector",
]
