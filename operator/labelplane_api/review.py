"""`spec.review`: what people see, and how long the job waits for them."""

from enum import StrEnum
from typing import Any, ClassVar

from labelplane_api.rules import Rule, needs
from labelplane_api.schema import ApiModel, Bool, Change, Float, Int, LongText, option


class OnDeadline(StrEnum):
    """What happens when people did not answer in time."""

    PROCEED = "Proceed"
    FAIL = "Fail"


def _fails_late(review: Any) -> bool:
    return review.on_deadline is OnDeadline.FAIL


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

    checks: ClassVar[tuple[Rule, ...]] = (
        needs("deadlineSeconds", when="self.onDeadline == 'Fail'", reason="for onDeadline Fail", holds=_fails_late),
    )
