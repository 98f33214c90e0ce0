from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load
from small_problems import draw_items, make_problem

from labelplane_core.features import InputKind, InputSpec
from labelplane_core.models import CONFIG_FILE, ONNX_FILE, WEIGHTS_FILE, OnnxModel, TrainedOn
from labelplane_distillation.errors import ExportMismatch
from labelplane_distillation.export import ModelFacts, package_model
from labelplane_distillation.learning import Hooks, Inputs, NetworkSettings, Outputs, TrainedEnsemble
from labelplane_distillation.linear import LinearLearner
from labelplane_distillation.losses import Floats

SPEC = InputSpec(InputKind.IMAGE, height=8, width=8, channels=1)


def train(members: int = 2) -> TrainedEnsemble:
    settings = NetworkSettings("Linear", members=members, epochs=60, weight_decay=1e-3)
    return LinearLearner(settings).fit(make_problem(SPEC).members(members).build(), Hooks()).ensemble


def make_facts(*, members: int = 2) -> ModelFacts:
    return ModelFacts(
        role="student",
        task_type="ImageClassification",
        classes=("a", "b", "c"),
        encoder="Linear",
        spec=SPEC,
        members=members,
        temperature=1.3,
        trained_on=TrainedOn(labelled=60),
        round_number=2,
        seed=7,
    )


@pytest.mark.parametrize("members", [1, 3])
def test_a_packaged_model_runs_with_calibrated_logits_and_tells_what_it_is(members: int) -> None:
    ensemble, sample = train(members), draw_items(SPEC, 40, seed=1)[0]
    card, files = package_model(ensemble, make_facts(members=members), sample=sample)
    output = OnnxModel(card, files[ONNX_FILE]).run(sample)
    np.testing.assert_allclose(np.exp(output.logits).sum(axis=1), 1.0, atol=1e-5)
    members_mean = np.exp(ensemble.predict(sample) / 1.3)
    members_mean = (members_mean / members_mean.sum(axis=2, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(np.exp(output.logits), members_mean, atol=1e-5)
    assert (output.samples is None) == (members == 1)
    assert (card.embedding_size, card.members, card.round) == (64, members, 2)
    assert load(files[WEIGHTS_FILE])["head.weight"].shape == (members, 64, 3)
    config = files[CONFIG_FILE].decode()
    assert 'name: "input" data_type: TYPE_FP32 dims: [1, 8, 8]' in config
    assert ("samples" in config) == (members > 1)


def test_equal_trainings_give_equal_files() -> None:
    sample = draw_items(SPEC, 4, seed=1)[0]
    assert package_model(train(), make_facts(), sample=sample) == package_model(train(), make_facts(), sample=sample)


@dataclass
class Lying:
    """An ensemble whose graph is that of another."""

    real: TrainedEnsemble
    other: TrainedEnsemble

    def predict(self, inputs: Inputs) -> Floats:
        return self.real.predict(inputs)

    def outputs(self, inputs: Inputs, temperature: float) -> Outputs:
        return self.real.outputs(inputs, temperature)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        return self.real.tensors()

    def to_onnx(self, temperature: float) -> bytes:
        return self.other.to_onnx(temperature * 1.001)


def test_a_graph_that_computes_something_else_is_never_handed_over() -> None:
    ensemble, sample = train(), draw_items(SPEC, 10, seed=1)[0]
    with pytest.raises(ExportMismatch, match="output logits of the exported student differs by"):
        package_model(Lying(ensemble, ensemble), make_facts(), sample=sample)
