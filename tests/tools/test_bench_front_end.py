import pathlib
import re

import numpy as np
import pytest

from kws_tf.config import FEATURE_PRESETS
from kws_tf.front_end import IntegerFeatures, dft, gain
from tools import bench_front_end

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "frontend.md"


def test_the_cost_table_of_the_docs_is_up_to_date():
    table = re.search(r"<!-- cost -->\n(.*?)\n<!-- /cost -->", DOCS.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert table.splitlines() == bench_front_end.cost_table(), "run tools/bench_front_end.py --docs=docs/frontend.md"


def test_every_table_of_the_docs_is_filled():
    text = DOCS.read_text(encoding="utf-8")
    for name in ("cost", "memory", "errors", "constant", "changes"):
        assert len(re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL).group(1).splitlines()) > 4


def test_a_change_lasts_as_long_as_its_context():
    features = FEATURE_PRESETS["bc_resnet"]
    pcm = np.random.default_rng(1).integers(-20, 21, 8000).astype(np.int16)
    before = IntegerFeatures(features)(pcm)
    with bench_front_end.changed([(gain, "DOUBLINGS", 2), (dft, "COLUMNS", [8])]):
        assert dft.plan(features).columns == 8
        assert (IntegerFeatures(features)(pcm) != before).any()
    assert dft.plan(features).columns == 32
    np.testing.assert_array_equal(IntegerFeatures(features)(pcm), before)


def test_levels_and_noise():
    clips = np.sin(np.arange(16000) / 7)[None]
    quiet = bench_front_end.at_level(clips, -20, None, 0)
    assert quiet.dtype == np.int16 and np.abs(quiet).max() == pytest.approx(3277, abs=2)
    noise = bench_front_end.at_level(clips, -20, 20, 0).astype(float) - quiet
    assert noise.std() == pytest.approx(quiet.std() / 10, rel=0.03)


def test_errors_are_those_of_the_twin():
    pcm = np.random.default_rng(2).normal(0, 1000, (2, 8000)).astype(np.int16)
    log_mel = bench_front_end.errors(FEATURE_PRESETS["bc_resnet"], pcm)
    assert log_mel.shape == (2 * 48 * 40,) and np.median(log_mel) < 0.05
    mfcc = bench_front_end.errors(FEATURE_PRESETS["sparknet"], pcm)
    assert mfcc.shape == (32,) and mfcc.max() < 0.1
