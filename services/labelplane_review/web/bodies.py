"""What pages send, checked at the edge."""

from datetime import datetime, timedelta
from typing import Annotated, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labelplane_review.desk_client import Answer
from labelplane_review.web.refusals import Refused

__all__ = ["CommentBody", "LeaseBody", "NameBody", "SkipBody", "VoteBody", "VotesBody", "read_body"]

_MONTH_SECONDS: Final = 30 * 86_400
_Known = TypeVar("_Known", bound=BaseModel)

_Word = Annotated[str, Field(max_length=2048)]
_Seconds = Annotated[float, Field(ge=0, le=_MONTH_SECONDS, allow_inf_nan=False)]


class _Body(BaseModel):
    """Fields that a page sends besides, such as an author, are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LeaseBody(_Body):
    """A wish for tasks."""

    count: int = Field(default=1, ge=0, le=20)
    holding: tuple[_Word, ...] = Field(default=(), max_length=100)


class VoteBody(_Body):
    """An answer.

    It says how long ago it was given, by the page's own clock from then to now, so that a clock that is wrong does no
    harm; votes that waited for a connection keep their time.
    """

    id: str = Field(min_length=1, max_length=128)
    item: str = Field(min_length=1, max_length=1024)
    answer: str = Field(default="", max_length=1024)
    lease: _Word = ""
    age_seconds: _Seconds = 0.0
    lead_seconds: _Seconds = 0.0
    suggestion_shown: bool = False
    supersedes: str = Field(default="", max_length=128)
    retracted: bool = False

    def answered(self, *, now: datetime) -> Answer:
        """Return the answer with its time."""
        return Answer(
            vote_id=self.id,
            item_id=self.item,
            answer=self.answer,
            lease_id=self.lease,
            time=now - timedelta(seconds=self.age_seconds),
            lead_time_seconds=self.lead_seconds,
            suggestion_shown=self.suggestion_shown,
            supersedes=self.supersedes,
            retracted=self.retracted,
        )


class VotesBody(_Body):
    """Answers, in the order in which they were given."""

    votes: tuple[VoteBody, ...] = Field(min_length=1, max_length=500)


class SkipBody(_Body):
    """A task given back, or that taken back."""

    lease: _Word
    reason: str = Field(default="", max_length=1000)
    undo: bool = False


class CommentBody(_Body):
    """A remark."""

    id: str = Field(min_length=1, max_length=128)
    item: str = Field(min_length=1, max_length=1024)
    text: str = Field(min_length=1, max_length=4000)


class NameBody(_Body):
    """A person's name."""

    name: str = Field(min_length=1, max_length=200)


async def read_body(request: web.Request, kind: type[_Known]) -> _Known:
    """Return what a call sends; `Refused` names the field that is wrong."""
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise Refused(400, "InvalidInput", f"{where}: {problem['msg']}" if where else problem["msg"]) from error
