from kws_tf.runtime import model_file
from kws_tf.runtime.interpreter import available
from tools import bench_operators


def test_every_operator_of_a_file_is_timed_alone(micro_stream):
    manifest, content = model_file.read(micro_stream)
    choices = [(available()[0], "reference")]
    found = bench_operators.operator_seconds(content, choices, runs=1)
    expected = sum(entry.count for entry in manifest.operators if entry.name not in bench_operators.STATE_OPERATORS)
    assert sum(count for count, _ in found.values()) == expected and all(times[0] > 0 for _, times in found.values())
    lines = bench_operators.table(found, choices)
    assert len(lines) == len(found) + 3 and lines[-1].startswith(f"| all | | {expected} | ")
    assert any(line.startswith("| BATCH_MATMUL | int16 | ") for line in lines)
