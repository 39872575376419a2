import dataclasses

from kws_tf import manifest as manifests
from kws_tf.tflite import report
from kws_tf.tflite.layer_errors import LayerError
from kws_tf.tflite.lint import RULES

EVALUATION = {
    "split": "testing", "clips": 200, "accuracy": 0.965, "accuracy_interval": [0.93, 0.98], "balanced_accuracy": 0.96,
    "other": {"accuracy": 0.96, "accuracy_interval": [0.92, 0.98], "balanced_accuracy": 0.955},
    "comparison": {"accuracy_change_points": 0.5, "argmax_disagreements": 3, "clips": 200, "fixed": 2, "broken": 1},
}


def test_the_report_tells_what_the_manifest_knows(exported):
    manifest = manifests.read(exported / "pi")
    text = (exported / "pi" / "report.md").read_text()
    for expected in (manifest.model_id, "`pcm` int16 [1, 8000]", "`logits` int8 [1, 3]", "| front end |", "| classifier |",
                     "| BATCH_MATMUL | 3 |",
                     f"all of {len(RULES)} rules are kept", "high, low, middle", "ms per inference"):
        assert expected in text, expected
    if manifest.arena:
        assert f"Arena: {manifest.arena.n_bytes:,} bytes in TFLite Micro" in text
    assert "Error of every layer" not in text and report.ACCURACY_TITLE not in text


def test_an_estimate_for_ethos_u(exported):
    manifest = manifests.read(exported / "pi")
    assert "Ethos-U" not in report.render(manifest)
    estimate = manifests.EthosEstimate("5.2.0", "ethos-u55-128", "High_End, Shared_Sram", 500.0, 0.54, 11280, 16416, 200,
                                       {"BATCH_MATMUL": 2, "RESHAPE": 1}, "model_vela.tflite", "0" * 64, 99000)
    assert estimate.cpu_share == 0.015
    text = report.render(dataclasses.replace(manifest, ethos=estimate))
    for expected in ("An estimate by Vela 5.2.0, not a measurement", "ethos-u55-128 at 500 MHz", "0.540 ms", "11,280 bytes",
                     "3 of 200, 1.5 %, 2 BATCH_MATMUL, 1 RESHAPE"):
        assert expected in text, expected


def test_the_memory_to_plan_for_is_what_is_declared(exported):
    manifest = dataclasses.replace(manifests.read(exported / "pi"), arena=manifests.Arena(1000, "1"))
    assert "plan for 1.25 times as much" in report.render(manifest)
    device = dataclasses.replace(manifest, labels=("_unknown_", "high"), wake_word=manifests.WakeWord("high", "high"))
    assert "plan for 1.8 times as much" in report.render(device), "that of esphome.json"


def test_closed_gates_are_told_where_there_are_gates(exported):
    manifest = manifests.read(exported / "pi")
    assert "closed gates" not in report.render(manifest)
    with_gates = dataclasses.replace(manifest, metrics={"sparsity": 0.3125})
    assert "31.2 % on the training clips" in report.render(with_gates)


def test_worst_layers_are_named_and_movers_are_not_blamed(exported):
    layers = [LayerError("pad", "PAD", 5.0), LayerError("deep", "CONV_2D", 11.0), LayerError("first", "CONV_2D", 40.0),
              LayerError("logits", "FULLY_CONNECTED", 31.0)]
    text = report.render(manifests.read(exported / "pi"), layers=layers)
    assert "Logits 31.0 dB, median 21.0 dB. Worst: `deep` 11.0, `logits` 31.0, `first` 40.0." in text
    assert "| `pad` | PAD | 5.0 |" in text


def test_an_arena_that_was_not_measured_has_its_reason(exported):
    manifest = dataclasses.replace(manifests.read(exported / "pi"), arena=None)
    assert "Arena: not measured: no wheel for this machine." in report.render(manifest, arena_note="no wheel for this machine")


def test_accuracy_is_added_once():
    text = report.with_accuracy("# model\n\nbody\n", EVALUATION)
    assert "Testing split, 200 clips." in text and "| this file | 96.50 % | 93.00 to 98.00 % | 96.00 % |" in text
    assert "Change +0.50 points; 3 of 200 answers differ, 2 right only here, 1 only in float32." in text
    again = report.with_accuracy(text, {**EVALUATION, "clips": 201})
    assert again.count(report.ACCURACY_TITLE) == 1 and "201 clips" in again and again.startswith("# model\n\nbody\n")
