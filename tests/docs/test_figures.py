"""What the text of a page says of the figures in its tables is what the records give."""

import json

import pytest
from scipy import stats

from tools import document_tables, models_table
from tools.measured_table import Share


def record(page, table):
    return json.loads(document_tables.record_path(page, table).read_text(encoding="utf-8"))


def text(page):
    return " ".join((document_tables.ROOT / page).read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def accuracy():
    """{title of a column: shares in %, the six seeds and the Arabic run last}."""
    found = record("docs/benchmarks.md", "accuracy")
    rows = [row for row in found["rows"] if isinstance(row, list)]
    titles = [column["title"] for column in found["columns"]]
    return {titles[place]: [Share(*row[place]) for row in rows] for place in (2, 4, 5, 6)}


def test_beside_pytorch(accuracy):
    (own, arabic), (torch, torch_arabic) = (([share.percent for share in accuracy[name][:6]], accuracy[name][6].percent)
                                            for name in ("kws_tf, float32 file", "PyTorch"))
    test = stats.ttest_ind(own, torch, equal_var=False)
    low, high = test.confidence_interval(0.95)
    mean, torch_mean = sum(own) / 6, sum(torch) / 6
    page = text("docs/benchmarks.md")
    assert (f"the mean over six seeds is {torch_mean - mean:.1f} point (float32) below PyTorch's, with a 95 % interval of the difference "
            f"from {low:.1f} to {high:+.1f} (Welch's t; p = {test.pvalue:.1f}); on the Arabic set one run of each gives "
            f"{arabic - torch_arabic:+.1f}") in page
    readme = text("README.md")
    assert f"reaches {mean:.1f} % (float32, mean of six seeds) on bed, cat, happy" in readme
    assert (f"reaches {torch_mean:.1f} %, within what seeds do ({low:.1f} to {high:+.1f} points), and {arabic:.1f} against "
            f"{torch_arabic:.1f} % on the Arabic set") in readme


def test_beside_pytorch_with_100_epochs():
    def mean(dataset, name):
        found = [each["files"]["float32"]["accuracy"] for each in models_table.read_records() if each["dataset"].startswith(dataset)
                 and models_table.network_name(each) == name and each["config"]["train"]["epochs"] == 100]
        assert len(found) == 3
        return 100 * sum(found) / 3

    own, torch, arabic, torch_arabic = (mean(dataset, name) for dataset in ("speech", "arabic")
                                        for name in ("BC-ResNet-1", "BC-ResNet-1 in PyTorch"))
    figures = f"{own:.2f} against {torch:.2f} % on bed, cat, happy and {arabic:.2f} against {torch_arabic:.2f} % on the Arabic set"
    assert figures in text("docs/benchmarks.md")
    assert "PyTorch" in text("README.md") and abs(own - torch) < 0.5 and abs(arabic - torch_arabic) < 0.5
    assert "within half a point of PyTorch on both sets" in text("README.md")


def test_integers_beside_float(accuracy):
    def changes(name):
        points = [100 * (integer.count - exact.count) / exact.of for integer, exact in
                  zip(accuracy[name], accuracy["kws_tf, float32 file"], strict=True)]
        *seeds, last, arabic = (f"{each:+.2f}".replace("+0.00", "0.00") for each in points)
        return f"{', '.join(seeds)} and {last}", arabic

    page = text("docs/benchmarks.md")
    (features, arabic), (pcm, pcm_arabic) = changes("int8, features in"), changes("integer file")
    assert f"features in {features} points (seeds 1 to 6) and {arabic} (Arabic); PCM in {pcm} points, and {pcm_arabic}" in page


def test_speed_of_training():
    torch, *_, own = record("docs/benchmarks.md", "training_speed")["rows"]
    assert own[2] > 2 and own[2] == pytest.approx(own[1] / torch[1], rel=0.02)
    assert "a training step takes less than half the CPU time" in text("README.md")


def test_speed_of_an_evaluation():
    rows = {row[0]: row[1:] for row in record("docs/evaluation.md", "speed")["rows"]}
    once, again, quick, quick_again = rows["tflite-runtime, reference (the default)"]
    optimised, _, _, optimised_quick = rows["tflite-runtime, optimised"]
    page = text("docs/benchmarks.md")
    for told in (f"{once / quick:.1f} and {again / quick_again:.1f} times less time",
                 f"({once} to {quick} s and {again} to {quick_again} s)", f"{optimised / optimised_quick:.1f} times less",
                 f"({optimised} to {optimised_quick} s)"):
        assert told in page, told


def test_intervals_and_losses_of_the_trained_networks():
    records = models_table.read_records()
    halves = [50 * (high - low) for each in records for figures in each["files"].values() for low, high in [figures["accuracy_interval"]]]
    assert f"an interval of 95 % is {min(halves):.1f} to {max(halves):.1f} points to either side" in text("README.md")
    losses = {each["name"]: each["files"]["float32"]["accuracy"] - each["files"]["integer"]["accuracy"] for each in records
              if models_table.network_name(each) in ("BC-ResNet-1", "BC-ResNet-2")}
    assert "No run of BC-ResNet-1 or -2 loses more than 0.3 points on testing" in text("docs/integer_file.md")
    assert max(losses.values()) <= 0.003, losses


def test_what_the_compact_form_costs():
    rows = [row for row in record("docs/streaming.md", "compact_accuracy")["rows"] if "40 mels" in row[0]]
    wide = [row for row in rows if "0.625" not in row[0]]
    gained, clips = (sum(row[-1][place] for row in wide) for place in (0, 1))
    assert len(wide) == 8 and f"the compact file has {gained} answers more right than float32, of {clips:,}." in text("docs/streaming.md")
    first, second = (-row[-1][0] for row in rows if "0.625" in row[0])
    assert f"The narrowest network loses {first} and {second} answers." in text("docs/streaming.md")


def test_one_figure_is_told_alike_everywhere():
    """Figures of a record that other pages repeat."""
    compact = record("docs/streaming.md", "forms")["rows"][-1]
    assert f"with {compact[1]} nodes and {compact[2]:,} bytes" in text("docs/streaming.md")
