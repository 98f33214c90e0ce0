"""The card of a model: everything that its users must know besides the weights."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labelplane_core.models.errors import BadModel

__all__ = ["ModelCard", "TrainedOn"]


class TrainedOn(BaseModel):
    """How many items a model has learned from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labelled: int = Field(ge=0, description="Items with a posterior, without the held-out ones.")
    unlabelled: int = Field(default=0, ge=0, description="Items on which a teacher alone spoke.")
    validation: int = Field(default=0, ge=0, description="Items held out to stop and to calibrate.")
    gold: int = Field(default=0, ge=0, description="Gold items among the labelled ones.")


class ModelCard(BaseModel):
    """The content of `model.json`.

    The graph's `logits` are already divided by `temperature`, which is told for the record: users take softmax(logits).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    role: Literal["teacher", "student"]
    task_type: str = Field(min_length=1)
    classes: tuple[str, ...] = Field(min_length=2, description="In the order of the logits.")
    encoder: str = Field(min_length=1)
    encoder_digest: str = Field(description="Same digest, same embeddings: the key of the embedding cache.")
    input: dict[str, Any] = Field(description="The InputSpec that makes batches, as JSON.")
    members: int = Field(ge=1, le=32, description="Networks in the ensemble; `samples` is an output when above 1.")
    embedding_size: int = Field(ge=1)
    temperature: float = Field(gt=0)
    trained_on: TrainedOn
    round: int = Field(ge=0)
    seed: int = Field(ge=0)
    versions: dict[str, str] = Field(description="Of the packages that trained and exported it.")
    files: dict[str, str] = Field(description="sha256 of every other file of the folder, by path.")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the graph's outputs."""
        return ("logits", "embedding", "samples") if self.members > 1 else ("logits", "embedding")

    def to_json(self) -> bytes:
        """Return the canonical bytes of `model.json`."""
        return (self.model_dump_json(indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, *, source: str) -> Self:
        """Return the card in `data`; `source` names it in errors.

        Raises:
            BadModel: it is not JSON, or not a card of this version.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise BadModel(f"{source}: {where}: {first['msg']}; another version wrote it, or it is damaged") from error
