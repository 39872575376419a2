import numpy as np
import pytest
from matplotlib.figure import Figure

from kws_tf.evaluation import classification, confusion_picture


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws a report and returns the figure as it was saved."""
    saved = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **kwargs: (saved.append(figure), save(figure, *args, **kwargs))[1])

    def draw(report):
        confusion_picture.draw_confusion(report, tmp_path / "picture.png")
        return saved[-1]

    return draw


def test_axes_title_counts_and_percentages(drawn):
    labels = np.array([0, 0, 0, 0, 1, 1])
    logits = np.eye(3)[[0, 0, 0, 1, 1, 1]]
    report = {**classification.report(labels, logits, ("yes", "no", "_silence_")), "split": "testing", "model": {"profile": "features"}}
    axes = drawn(report).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class (clips)")
    assert axes.get_title().startswith("testing split, features model: 83.33 % of 6 clips right\n95 % interval 43.65 to 96.99 %")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["yes", "no", "_silence_"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["yes (4)", "no (2)", "_silence_ (0)"]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "3\n75%", (1, 0): "1\n25%", (1, 1): "2\n100%"}


def test_names_of_classes_are_no_formulas(drawn):
    report = classification.report(np.array([0, 1]), np.eye(2), ("5$_$", "$\\frac$"))
    assert [label.get_text() for label in drawn(report).axes[0].get_xticklabels()] == ["5$_$", "$\\frac$"]


@pytest.mark.parametrize("share, text", [
    (1.0, "100%"), (0.9994, "99.9%"), (0.996, "99.6%"), (0.5, "50%"), (0.034, "3.4%"), (0.0002, "0.1%")])
def test_percentages_never_claim_all_or_nothing(share, text):
    assert confusion_picture._percent(share) == text


def test_many_classes_stay_within_a_page(drawn):
    n = 50
    report = classification.report(np.arange(n), np.eye(n), [f"word{i}" for i in range(n)])
    assert max(drawn(report).get_size_inches()) < 30
