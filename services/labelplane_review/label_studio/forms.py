"""Label Studio's labelling interface (`label_config`) of a classification: written, read back and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

from labelplane_review.errors import RequestRefused

__all__ = ["Form", "label_config", "read_form"]

CONTROL: Final = "label"
_KEYS: Final = "1234567890"
_TAGS: Final = {True: "Image", False: "Text"}


@dataclass(frozen=True, slots=True)
class Form:
    """What a project's interface asks.

    Attributes:
        control: the name of its `Choices`.
        target: the name of what they are about.
        field: the field of a task's data that is shown.
        choices: what may be chosen.
    """

    control: str
    target: str
    field: str
    choices: tuple[str, ...]

    def result(self, answer: str) -> list[dict[str, Any]]:
        """Return an answer as the result of a prediction or annotation."""
        value = {"choices": [answer]}
        return [{"from_name": self.control, "to_name": self.target, "type": "choices", "value": value}]

    def missing(self, classes: Sequence[str]) -> list[str]:
        """Return the classes that cannot be chosen."""
        return [name for name in classes if name not in self.choices]


def label_config(classes: Sequence[str], *, is_image: bool) -> str:
    """Return the interface for one class of `classes`; the first ten have the keys 1 to 9 and 0."""
    field = "image" if is_image else "text"
    view = ET.Element("View")
    shown = ET.SubElement(view, _TAGS[is_image], name=field, value=f"${field}")
    if is_image:
        shown.set("zoom", "true")
    else:
        shown.set("valueType", "text")  # a text that looks like an address is not fetched
    choices = ET.SubElement(
        view, "Choices", name=CONTROL, toName=field, choice="single", showInLine="true", required="true"
    )
    for place, name in enumerate(classes):
        choice = ET.SubElement(choices, "Choice", value=name)
        if place < len(_KEYS):
            choice.set("hotkey", _KEYS[place])
    return ET.tostring(view, encoding="unicode")


def read_form(config: str, *, where: str) -> Form:
    """Return what an interface asks, whoever wrote it.

    Raises:
        RequestRefused: it holds no single `Choices` about something that a task's data gives; the message says what.
    """
    try:
        root = ET.fromstring(config)  # noqa: S314 - entities are not read: expat knows none without a DTD
    except ET.ParseError as error:
        raise RequestRefused(f"{where}: its labelling interface is no XML ({error}): mend it there") from error
    controls = list(root.iter("Choices"))
    if len(controls) != 1:
        raise RequestRefused(
            f"{where}: its labelling interface has {len(controls)} Choices where a classification has one: "
            "was it changed by hand? Mend it there"
        )
    control = controls[0]
    target = control.get("toName", "")
    shown = next((each for each in root.iter() if each.get("name") == target and each.get("value")), None)
    field = "" if shown is None else shown.get("value", "").strip().removeprefix("$")
    if not field:
        raise RequestRefused(
            f"{where}: its Choices are about {target!r}, which shows nothing: mend the interface there"
        )
    names = tuple(each.get("alias") or each.get("value") or "" for each in control.iter("Choice"))
    return Form(control.get("name", ""), target, field, names)
