"""docs/models.md, and docs/integer_file.md on accuracy, say what was recorded, and nothing else."""

import copy
import json
import pathlib
import re

import pytest

from kws_tf.errors import ConfigError
from kws_tf.evaluation.intervals import wilson_interval
from tools import model_picture, models_table, stream_picture

PAGE = models_table.PAGE.read_text(encoding="utf-8")
COSTS, RECORDS = models_table.read_costs(), models_table.read_records()
RECORD = {
    "schema": 1, "name": "words_one", "dataset": "words", "classes": 3,
    "files": {kind: {"clips": 200, "correct": 190, "accuracy": 0.95, "accuracy_interval": [0.91, 0.97], "macs": 2_000_000}
              for kind in ("float32", "integer")},
    "config": {"model": {"model": "sparknet", "channels": 8, "padding": "causal"}, "features": {"kind": "mfcc", "n_mfcc": 32, "n_mels": 32},
               "train": {"epochs": 40, "seed": 2}}}


def test_page_and_picture_are_those_of_the_records():
    fix = "run: make tables"
    assert models_table.page(PAGE, COSTS, RECORDS) == PAGE, fix
    text = models_table.INTEGER_PAGE.read_text(encoding="utf-8")
    assert models_table.integer_page(text, RECORDS) == text, fix
    text = models_table.WAKEWORD_PAGE.read_text(encoding="utf-8")
    streams = models_table.read_streams()
    assert models_table.wakeword_page(text, streams) == text, fix
    assert model_picture.stored_digest(models_table.WAKEWORD_PICTURE) == models_table.stream_digest(streams), fix
    text = models_table.README.read_text(encoding="utf-8")
    assert models_table.readme(text, COSTS, RECORDS) == text, fix
    assert model_picture.stored_digest(models_table.PICTURE) == models_table.digest(COSTS, RECORDS), fix


def test_changes_of_both_splits_are_added_and_old_records_have_none():
    record = copy.deepcopy(RECORD)
    record["files"]["integer"]["correct"] = 188
    record["files"]["integer"]["against_float32"] = {
        "validation": {"clips": 300, "argmax_disagreements": 4, "fixed": 1, "broken": 2},
        "testing": {"clips": 200, "argmax_disagreements": 3, "fixed": 0, "broken": 2}}
    new, old = models_table.integer_table([record, RECORD])[2:]
    assert new.startswith("| words | SparkNet-8, 32 MFCC | 2 | 200 | 95.00 % | 95.00 % (91.00 to 97.00) | -1.00 | 500 | 1 / 4 | -0.60 (")
    assert new.endswith(" | 0.38 |") and old.endswith(" | +0.00 | - | - | - | - |")


def test_seeds_of_one_setting_stand_together_with_their_mean():
    second, other = copy.deepcopy(RECORD), copy.deepcopy(RECORD)
    second["config"]["train"]["seed"] = 3
    second["files"]["integer"]["accuracy"] = 0.97
    other["config"]["train"]["epochs"] = 41
    lines = models_table.accuracy_table([RECORD, second, other], "words")[2:]
    assert [line.split(" | ")[3] for line in lines] == ["2", "3", "mean of 2", "2"]
    assert lines[2] == "| SparkNet-8 | causal | 40 | mean of 2 | **95.00** [95.00, 95.00] | **96.00** [95.00, 97.00] | - | - | |"


def test_seeds_of_one_setting_are_one_point_of_the_picture():
    second, other, torch = copy.deepcopy(RECORD), copy.deepcopy(RECORD), copy.deepcopy(RECORD)
    second["config"]["train"]["seed"] = 3
    second["files"]["integer"].update(accuracy=0.97, accuracy_interval=[0.93, 0.99])
    other["config"]["features"]["n_mfcc"] = 20
    torch["implementation"] = "PyTorch"
    del torch["files"]["integer"]
    groups = models_table.by_setting([RECORD, second, other, torch])
    assert [(name, len(group)) for name, group in groups] == [("SparkNet-8", 2), ("SparkNet-8 (20 MFCC)", 1), ("SparkNet-8 in PyTorch", 1)]
    point = model_picture.Point.of(groups[0][1], "SparkNet-8", 5)
    assert point.integer == pytest.approx((96, 92, 98)) and point.float32 == pytest.approx((95, 91, 97))
    assert model_picture.Point.of([torch], "SparkNet-8 in PyTorch", 5).integer is None


def test_the_readme_has_means_and_their_number():
    second, other = copy.deepcopy(RECORD), copy.deepcopy(RECORD)
    second["config"]["train"]["seed"] = 3
    second["files"]["integer"]["accuracy"] = 0.97
    other["dataset"] = "more"
    head, _, line = models_table.readme_table(COSTS, [RECORD, second, other])
    assert head.endswith("| words: float32 | integer, PCM in | streaming | more: float32 | integer, PCM in | streaming |")
    assert line == "| SparkNet-8 | 2,356 | 0.17 M | 95.0 [2] | 96.0 [2] | - | 95.0 | 95.0 | - |"


def test_streams_are_grouped_by_what_they_were_measured_on(tmp_path):
    records = [{"title": f"{place}. so", "place": place, "hours": hours, "words": 20, "curve": [[0, 3], [4, 17 + place]]}
               for place, hours in ((1, 0.5), (2, 0.5), (1, 0.1))]
    groups = models_table.stream_groups(records)
    assert [[record["hours"] for record in group] for group in groups] == [[0.1], [0.5, 0.5]]
    stream_picture.draw(groups, tmp_path / "a.png", models_table.stream_digest(records))
    assert model_picture.stored_digest(tmp_path / "a.png") == models_table.stream_digest(records) != models_table.stream_digest(records[:2])


def test_words_found_stand_with_their_share_and_interval():
    record = {"name": "word_one", "title": "first", "words": 200, "best": {"0": {"hits": 190}, "1": {"hits": 196}}}
    head, _, line = models_table.stream_table([record])
    assert head == "| training | none | at most 1 | record |"
    assert line == "| first | 190, 95 % (91 to 97) | 196, 98 % (95 to 99) | [word_one](results/streams/word_one.json) |"


def test_a_network_of_pytorch_has_a_line_and_no_file(tmp_path):
    torch = copy.deepcopy(RECORD)
    torch["implementation"] = "PyTorch"
    del torch["files"]["integer"]
    for name, record in (("a", torch), ("b", RECORD)):
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    records = models_table.read_records(tmp_path)
    assert [models_table.network_name(record) for record in records] == ["SparkNet-8", "SparkNet-8 in PyTorch"]
    line = models_table.accuracy_table(records, "words")[-1]
    assert line.startswith("| SparkNet-8 in PyTorch | causal | 40 | 2 | 95.00 (91.00 to 97.00) | - |")
    assert len(models_table.integer_table(records)) == 3


def test_every_network_has_its_costs():
    assert list(COSTS) == list(models_table.NETWORKS)


def test_another_record_or_cost_changes_page_and_digest():
    costs = copy.deepcopy(COSTS)
    costs["SparkNet-16"]["parameters"] += 1
    for other in ((costs, RECORDS), (COSTS, [*RECORDS, RECORD])):
        assert models_table.page(PAGE, *other) != PAGE
        assert models_table.digest(*other) != models_table.digest(COSTS, RECORDS)
    text = models_table.page(PAGE, COSTS, [*RECORDS, RECORD])
    assert "### words: 3 classes, 200 testing clips" in text
    figures = "95.00 (91.00 to 97.00)"
    assert f"| SparkNet-8 | causal | 40 | 2 | {figures} | {figures} | - | - | [words_one](results/words_one.json) |" in text


def test_records_hold_figures_that_can_be_and_no_paths():
    for record in RECORDS:
        assert set(record["files"]) >= ({"float32"} if "implementation" in record else {"float32", "integer", "streaming"})
        for figures in record["files"].values():
            assert figures["accuracy"] == figures["correct"] / figures["clips"]
            assert figures["accuracy_interval"] == pytest.approx(wilson_interval(figures["correct"], figures["clips"]))
        assert record["command"].startswith(("python -m kws_tf.train --data_root=", "python tools/torch_baseline.py --data_root="))
        assert not re.search(r"[\"= ]/\w", json.dumps(record)), record["name"]


@pytest.mark.parametrize("name", ["BC-ResNet-0.625", "SparkNet-4", "DS-CNN"])
def test_recorded_counts_are_those_of_the_networks(name):
    from kws_tf import models
    from kws_tf.models import summary

    model, features, _ = models_table.NETWORKS[name]
    frames = COSTS[name]["frames"]
    network = models.build(model, features, models_table.CLASSES, frames)
    for suffix, n_frames in (("", frames), ("_101", models_table.PAPER_FRAMES)):
        totals = summary.totals(summary.layer_costs(network, n_frames))
        assert [COSTS[name][f"{key}{suffix}"] for key in ("macs", "thop")] == [totals["macs"], totals["thop"]]
    assert COSTS[name]["parameters"] == totals["parameters"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BC-ResNet-0.625", "SparkNet-4", "DS-CNN"])
def test_recorded_files_are_those_of_today(name):
    """One network of a kind; times are not compared."""
    import tensorflow

    from kws_tf.tflite import micro

    found, _ = models_table.measure(name)
    compared = ["operators", "macs"]
    if tensorflow.__version__ == "2.17.1":               # another writes the same work in some more or fewer bytes
        compared.append("bytes")
        measured_by = [title.split()[1] for title in COSTS[name]["features"]["milliseconds"] if title.startswith("tflite_micro")]
        if not micro.unavailable() and measured_by == [micro.version()]:
            compared.append("arena_bytes")
    for kind in ("features", "pcm", "streaming"):
        assert {key: found[kind][key] for key in compared} == {key: COSTS[name][kind][key] for key in compared}, (
            f"{kind}: run tools/models_table.py --measure")


def test_options_that_differ_from_the_paper_are_named():
    record = copy.deepcopy(RECORD)
    record["config"]["features"]["n_mfcc"] = 20
    record["config"]["model"]["arcface"] = True
    record["config"]["train"]["pre_roll_probability"] = 0.5
    line = models_table.accuracy_table([record], "words")[-1]
    assert line.startswith("| SparkNet-8 (20 MFCC, ArcFace, pre-roll 0.5) |")


def test_a_page_without_the_place_of_a_table_is_refused():
    with pytest.raises(ConfigError, match="no place for the table files"):
        models_table.page(PAGE.replace("<!-- files -->", ""), COSTS, RECORDS)


def test_the_picture_remembers_what_it_shows(tmp_path):
    points = [model_picture.Point.of([RECORD, RECORD], name, 1_000_000) for name in ("SparkNet-8", "DS-CNN", "tiny_conv")]
    alone = {**RECORD, "files": {"float32": RECORD["files"]["float32"]}}
    points.append(model_picture.Point.of([alone], "BC-ResNet-1 in PyTorch", 1_000_000))
    model_picture.draw(points, [("BC-ResNet-1", 2_000_000, 96.9)], tmp_path / "picture.png", "0123abcd")
    assert model_picture.stored_digest(tmp_path / "picture.png") == "0123abcd"
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    pathlib.Path(tmp_path / "no.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert model_picture.stored_digest(tmp_path / "no.png") == ""
