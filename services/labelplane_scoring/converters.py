"""From the messages of the scoring service to its requests."""

from labelplane.scoring.v1 import scoring_pb2 as pb
from labelplane_core.errors import InvalidInput
from labelplane_core.task_messages import classes_from_proto, kind_from_proto, share_from_proto
from labelplane_scoring.requests import ScoreRequest, SelectRequest, Serving
from labelplane_scoring.strategies import COLD_START_STRATEGIES, STRATEGIES

__all__ = ["score_request", "select_request"]


def score_request(message: pb.StartScoreRequest) -> ScoreRequest:
    """Return the request, or raise `InvalidInput` naming the field that is wrong."""
    if not message.index_ref or not message.model_ref:
        raise InvalidInput("index_ref and model_ref must both be set")
    is_served = bool(message.serving.endpoint)
    if is_served and message.deterministic:
        raise InvalidInput("deterministic must not be set with serving: a server's batches are its own")
    return ScoreRequest(
        round_number=message.round.number,
        attempt=message.round.attempt,
        kind=kind_from_proto(message.task),
        classes=classes_from_proto(message.task),
        index_ref=message.index_ref,
        model_ref=message.model_ref,
        previous_scores_ref=message.previous_scores_ref,
        is_deterministic=message.deterministic,
        serving=Serving(message.serving.endpoint, message.serving.model) if is_served else None,
    )


def select_request(message: pb.StartSelectRequest) -> SelectRequest:
    """Return the request, or raise `InvalidInput` naming the field that is wrong."""
    known = STRATEGIES if message.scores_ref else COLD_START_STRATEGIES
    if message.strategy not in known:
        when = "with scores" if message.scores_ref else "without scores"
        raise InvalidInput(f"strategy {message.strategy!r} is not built {when}: choose one of {', '.join(known)}")
    return SelectRequest(
        round_number=message.round.number,
        attempt=message.round.attempt,
        kind=kind_from_proto(message.task),
        classes=classes_from_proto(message.task),
        index_ref=message.index_ref,
        scores_ref=message.scores_ref,
        previous_selection_ref=message.previous_selection_ref,
        votes_ref=message.votes_ref,
        strategy=message.strategy,
        batch_size=message.batch_size,
        gold_share=share_from_proto("gold_share", message.gold_share),
        check_share=share_from_proto("check_share", message.check_share),
        candidate_pool=max(1, message.candidate_pool),
        density_weight=message.density_weight,
        seed=message.seed,
        review_shares_ref=message.review_shares_ref,
    )
