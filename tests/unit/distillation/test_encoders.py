import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from labelplane_core.features import InputKind
from labelplane_core.storage import FolderStore
from labelplane_core.tasks import DecodedItem, Modality
from labelplane_distillation.encoders import (
    ENCODERS,
    Encoder,
    LearnerParts,
    fetch_weights,
    find_encoder,
    make_learner,
    require_encoder,
)
from labelplane_distillation.errors import EncoderMismatch, MissingExtra, MissingWeights, UnknownEncoder
from labelplane_distillation.learning import Examples, Hooks, NetworkSettings, Problem

GREY = [np.full((8, 8, 3), 7, dtype=np.uint8)]
COLOUR = [np.dstack([np.full((300, 200), level, dtype=np.uint8) for level in (1, 2, 3)])]


@pytest.mark.parametrize(
    ("name", "modality", "items", "want_kind", "want_shape"),
    [
        pytest.param("Linear", Modality.IMAGE, GREY, InputKind.PIXELS, (64,), id="pixels of small grey images"),
        pytest.param("Linear", Modality.TEXT, ["a"], InputKind.HASHED_NGRAMS, (4096,), id="hashed texts"),
        pytest.param("Mlp", Modality.IMAGE, GREY, InputKind.IMAGE, (1, 8, 8), id="small images as they are"),
        pytest.param("SmallCnn", Modality.IMAGE, COLOUR, InputKind.IMAGE, (3, 64, 43), id="large images shrunk"),
        pytest.param(
            "SmallCnn", Modality.IMAGE, GREY + COLOUR, InputKind.IMAGE, (3, 64, 43), id="colour if any has it"
        ),
        pytest.param("HashedNgrams", Modality.TEXT, ["a"], InputKind.NGRAM_IDS, (1024,), id="ids of n-grams"),
    ],
)
def test_an_encoder_chooses_how_items_are_encoded(
    name: str, modality: Modality, items: list[DecodedItem], want_kind: InputKind, want_shape: tuple[int, ...]
) -> None:
    spec = find_encoder(name, modality).make_spec(modality, items, None)
    assert (spec.kind, spec.shape) == (want_kind, want_shape)


def test_an_unknown_encoder_and_one_of_another_modality_are_refused_with_those_that_fit() -> None:
    with pytest.raises(UnknownEncoder, match="no encoder 'Resnet': choose one of Linear, Mlp, SmallCnn, Torchvision"):
        find_encoder("Resnet", Modality.IMAGE)
    with pytest.raises(
        EncoderMismatch, match=r"SmallCnn does not read items of kind text: .* Linear, Mlp, HashedNgrams"
    ):
        find_encoder("SmallCnn", Modality.TEXT)


def make_entry(name: str, *packages: str) -> Encoder:
    return replace(next(each for each in ENCODERS if each.name == name), packages=packages)


def test_a_missing_extra_is_one_sentence_that_says_what_to_install() -> None:
    with pytest.raises(
        MissingExtra, match=r"needs no_such_package: install labelplane\[local\], or choose encoder Linear"
    ):
        require_encoder(make_entry("SmallCnn", "numpy", "no_such_package"), has_weights=False)
    with pytest.raises(MissingExtra, match=r"labelplane\[encoders\]"):
        require_encoder(make_entry("HuggingFace", "no_such_package"), has_weights=True)


def test_an_encoder_without_its_weights_says_where_to_put_them() -> None:
    with pytest.raises(MissingWeights, match=r"put config.json and model.safetensors in a folder"):
        require_encoder(make_entry("Torchvision", "numpy"), has_weights=False)


async def test_weights_come_from_a_folder_or_the_store_and_only_as_safetensors(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "copy").mkdir()
    store = FolderStore(tmp_path / "store")
    assert await fetch_weights(store, "", folder=tmp_path) is None
    await store.put("weights/tiny/config.json", b"{}")
    await store.put("weights/tiny/pytorch_model.bin", b"pickle")
    with pytest.raises(MissingWeights, match=r"model.safetensors not found.*pickled weights are refused"):
        await fetch_weights(store, "weights/tiny", folder=tmp_path / "copy")
    await store.put("weights/tiny/model.safetensors", b"...")
    folder = await fetch_weights(store, "weights/tiny/", folder=tmp_path / "copy")
    assert folder is not None
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert await fetch_weights(store, str(folder), folder=tmp_path) == folder
    with pytest.raises(MissingWeights, match=r"config.json and model.safetensors not found"):
        await fetch_weights(store, str(tmp_path / "nowhere"), folder=tmp_path)


def test_the_service_loads_without_torch() -> None:
    program = (
        "import sys; import labelplane_distillation.servicer, labelplane_distillation.linear; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'torchvision')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Encoders with pretrained weights, on tiny models made here.


def write_torchvision(folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `encoders`")
    torchvision = pytest.importorskip("torchvision", reason="needs the extra `encoders`")
    from safetensors.torch import save_file

    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=4)
    save_file(body.state_dict(), folder / "model.safetensors")
    config = {"architecture": "shufflenet_v2_x0_5", "num_classes": 4, "image_size": 32}
    (folder / "config.json").write_text(json.dumps(config))


def write_huggingface(folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `encoders`")
    transformers = pytest.importorskip("transformers", reason="needs the extra `encoders`")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.ViTModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))


def make_parts(encoder: str, folder: Path, *, fine_tune: bool) -> LearnerParts:
    settings = NetworkSettings(
        encoder,
        members=2,
        epochs=3,
        fine_tune=fine_tune,
        patience=2,
        augment=fine_tune,
        learning_rate=1e-2,
        batch_size=8,
    )
    spec = find_encoder(encoder, Modality.IMAGE).make_spec(Modality.IMAGE, [], folder)
    return LearnerParts(settings, spec, folder, is_deterministic=True, threads=1)


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("fine_tune", [False, True], ids=["features", "fine-tuned"])
@pytest.mark.parametrize(
    ("encoder", "write"),
    [pytest.param("Torchvision", write_torchvision), pytest.param("HuggingFace", write_huggingface)],
)
def test_a_pretrained_encoder_trains_and_its_graph_computes_what_it_does(
    tmp_path: Path, encoder: str, write: Callable[[Path], None], fine_tune: bool
) -> None:
    if importlib.util.find_spec("onnxscript") is None:
        pytest.skip("needs the extra `encoders`")
    write(tmp_path)
    parts = make_parts(encoder, tmp_path, fine_tune=fine_tune)
    rng = np.random.default_rng(0)
    items = rng.random((24, *parts.spec.shape), dtype=np.float32)
    classes = np.arange(24) % 2
    items[classes == 1] *= 0.2
    problem = Problem(
        Examples(items, np.eye(2)[classes], np.ones(24)),
        (np.arange(16), np.arange(4, 20)),
        np.arange(20, 24),
        seed=(1,),
    )
    learner = make_learner(find_encoder(encoder, Modality.IMAGE), parts)
    ensemble = learner.fit(problem, Hooks()).ensemble
    want = ensemble.outputs(items[:5], 1.5)
    session = onnxruntime.InferenceSession(ensemble.to_onnx(1.5))
    for count in (5, 1):
        logits, embedding, samples = session.run(None, {"input": items[:count]})
        np.testing.assert_allclose(logits, want.logits[:count], atol=1e-4)
        np.testing.assert_allclose(embedding, want.embedding[:count], atol=1e-4)
        np.testing.assert_allclose(samples, want.samples[:count], atol=1e-4)  # type: ignore[index]
    backbones = [name for name in ensemble.tensors() if name.startswith("backbone")]
    assert any(name.startswith("backbones.1.") for name in backbones) == fine_tune


@pytest.mark.torch
@pytest.mark.parametrize(
    ("config", "want"),
    [
        pytest.param({"architecture": "no_such_network"}, "Unknown model", id="unknown architecture"),
        pytest.param({"architecture": "shufflenet_v2_x0_5"}, "Error", id="weights of another shape"),
        pytest.param({}, "architecture", id="no architecture"),
    ],
)
def test_weights_that_do_not_fit_their_config_are_refused(tmp_path: Path, config: dict[str, object], want: str) -> None:
    write_torchvision(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(MissingWeights, match=f"do not fit their config.json: .*{want}"):
        make_learner(find_encoder("Torchvision", Modality.IMAGE), make_parts("Torchvision", tmp_path, fine_tune=False))
