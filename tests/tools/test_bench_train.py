import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'kws_tf[parity]'")

from kws_tf.config import FeatureConfig, ModelConfig  # noqa: E402
from tools import bench_train  # noqa: E402


@pytest.mark.slow
def test_contestants_train():
    batch = (ModelConfig(tau=0.625, dropout=0.0), FeatureConfig(n_mels=20), 11, 3)
    for contestant in (bench_train.torch_contestant(*batch), bench_train.keras_contestant("batch_innermost", *batch)):
        losses = [contestant() for _ in range(10)]
        assert losses[-1] < losses[0]


def test_race_takes_turns_and_leaves_out_the_warm_up():
    calls = []
    contestants = {"PyTorch": lambda: calls.append("a"), "ours": lambda: calls.append("b")}
    seconds = bench_train.race(contestants, rounds=2, steps=2)
    assert "".join(calls) == "aabb" * 3
    assert {name: len(values) for name, values in seconds.items()} == {"PyTorch": 2, "ours": 2}


def test_ratio_is_taken_within_each_round():
    results = bench_train.figures({"PyTorch": [1.0, 2.0, 4.0], "ours": [0.5, 0.5, 4.0]}, batch_size=100)
    assert results["ours"]["ratio"] == {"median": 2.0, "low": 1.0, "high": 4.0}
    assert results["ours"]["clips_per_second"] == {"median": 200.0, "low": 25.0, "high": 200.0}
    assert results["PyTorch"]["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}
