"""`spec.review`: what people see, and how long the job waits for them."""

from enum import StrEnum
from typing import Any, ClassVar

from labelplane_api.rules import Rule, needs, unique_items
from labelplane_api.schema import ApiModel, Bool, Change, ClassName, FieldName, Float, Int, LongText, option


class OnDeadline(StrEnum):
    """What happens when people did not answer in time."""

    PROCEED = "Proceed"
    FAIL = "Fail"


def _fails_late(review: Any) -> bool:
    return review.on_deadline is OnDeadline.FAIL


class Reviewer(ApiModel):
    """One person's rights and part of the work."""

    name: FieldName = option("name is the person's name, as it stands with their votes.")
    adjudicator: Bool = option(
        "adjudicator, when true, lets the person decide items that people disagree on, or send them back.",
        default=False,
    )
    classes: tuple[ClassName, ...] = option(
        "classes are the classes that the person looks at: an item that the model takes for another is not shown to "
        "them; empty are all, and an item of which the model says nothing is everybody's.",
        (),
        max_length=1000,
    )
    share: Float = option(
        "share is the share of the items that the person may be asked about, above 0 and at most 1.", 1.0, gt=0, le=1
    )

    checks: ClassVar[tuple[Rule, ...]] = (unique_items("classes"),)


class Review(ApiModel):
    """What people see, and how long the job waits for them."""

    deadline_seconds: Int | None = option(
        "deadlineSeconds is how long a round waits for people, in seconds.",
        None,
        otherwise="as long as it takes",
        ge=1,
        le=31_536_000,
        change=Change.AT_ONCE,
    )
    on_deadline: OnDeadline = option(
        "onDeadline is Proceed (go on with the votes there are) or Fail.", OnDeadline.PROCEED, change=Change.AT_ONCE
    )
    suggestion_hidden_share: Float = option(
        "suggestionHiddenShare is the share of tasks shown without the model's suggestion, to measure how it sways "
        "people; 1 hides all.",
        0.1,
        ge=0,
        le=1,
    )
    show_agreement: Bool = option(
        "showAgreement shows each person how often they agree with gold, from five gold answers on.",
        default=True,
        change=Change.AT_ONCE,
    )
    guidelines: LongText = option("guidelines is what people are told, as Markdown.", "", change=Change.AT_ONCE)
    people: tuple[Reviewer, ...] = option(
        "people are those with a right or a part of their own; who is not named may be asked about any item, and only "
        "the job's owner decides. Read by the review page alone.",
        (),
        max_length=200,
        change=Change.AT_ONCE,
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        unique_items("people", key="name"),
        needs("deadlineSeconds", when="self.onDeadline == 'Fail'", reason="for onDeadline Fail", holds=_fails_late),
    )
