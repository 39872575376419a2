"""The engine, the self-test and the listener, compiled against a stand-in of TFLite Micro whose answers come from a real interpreter."""

import io
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from kws_tf.runtime import Detector, Stream, model_file
from kws_tf.runtime.detection import configure, logits_spec
from kws_tf.runtime.interpreter import open_interpreter
from kws_tf.runtime.score_bytes import ScoreBytes
from kws_tf.tflite import flatbuffer
from tests.firmware.model_process import INT8, INT16, PlayedModel, run

RUNNER = os.environ.get("KWS_TFLM_RUNNER", "")


def played(folder, **options):
    """The exported file as the model that the stand-in asks."""
    manifest, content = model_file.read(folder)
    n_input, n_output = (int(np.prod(spec.shape)) for spec in (manifest.inputs[0], manifest.outputs[0]))

    def start():
        _, opened = open_interpreter(content, kernels="reference")
        source, target = opened.get_input_details()[0], opened.get_output_details()[0]

        def infer(inputs):
            opened.set_tensor(source["index"], np.frombuffer(inputs[0], "<i2").reshape(source["shape"]))
            opened.invoke()
            return [opened.get_tensor(target["index"]).tobytes()]
        return infer
    return PlayedModel([(INT16, 2 * n_input)], [(INT8, n_output)], options.pop("start", start), **options)


def words(tone_clips, n_clips=3):
    """A recording with words of every class: int16 [samples]."""
    return np.concatenate([tone_clips[0][index] for index in range(n_clips)])


def expected_lines(folder, pcm):
    """What the host example prints with --scores, by the runtime."""
    stream = Stream(folder, kernels="reference")
    keywords, settings, _ = configure(stream.manifest)
    detector, score_bytes = Detector(stream.labels, keywords, settings), ScoreBytes(logits_spec(stream.manifest))
    for frame in stream.process(pcm):
        scores = score_bytes(frame.logits).tolist()
        yield "\t".join(map(str, ["scores", frame.end_samples, *scores]))
        event = detector.step(scores, frame.end_samples)
        if event:
            yield "\t".join(map(str, ["ended" if event.end_sample else "started", event.keyword, event.score, event.start_sample,
                                      event.peak_sample, event.end_sample or 0]))


def wav(pcm, **options):
    file = io.BytesIO()
    soundfile.write(file, pcm, options.pop("rate", 16000), format="WAV", **options)
    return file.getvalue()


def test_self_test_passes_and_proves_the_reset(stream_program, stream_project, micro_stream, tmp_path):
    model = played(micro_stream)
    done = run(stream_program, model, arguments=["--self-test"], folder=tmp_path)
    assert done.status == 0, done.log
    n_bytes = 2 * 2 * 30 * 3
    assert f"passed: 0 of {n_bytes} bytes differ" in done.log
    assert re.search(r"arena \d+ bytes in use, \d+ declared; longest hop \d+ of 20000 us", done.log)
    # init, and a reset ahead of, between and behind the two passes: each a new interpreter in place of one that was destroyed
    assert len(model.opened) == 4 and model.closed == 3 and model.inferences == 2 * 15
    resolver = (stream_project / "kws_model_ops.h").read_text(encoding="utf-8")
    manifest, content = model_file.read(micro_stream)
    states, operators = manifest.streaming.states, {node.operator for node in flatbuffer.read(content).nodes}
    assert set(model.opened) == {(len(states), len(operators))} and f"MicroMutableOpResolver<{len(operators)}>" in resolver


@pytest.mark.parametrize("form", ["wav", "wav with more chunks", "raw"])
def test_events_and_scores_are_those_of_the_runtime(stream_program, micro_stream, tone_clips, tmp_path, form):
    pcm = words(tone_clips)
    sent = {"raw": pcm.tobytes(), "wav": wav(pcm)}.get(form)
    if sent is None:
        plain = wav(pcm)
        sent = plain[:12] + b"LIST\x05\x00\x00\x00abcde\x00" + plain[12:] + b"LIST\xd0\x07\x00\x00" + 500 * b"abcd"
    done = run(stream_program, played(micro_stream), arguments=["--scores"], stdin=sent, folder=tmp_path)
    expected = list(expected_lines(micro_stream, pcm))
    assert done.status == 0 and done.output.splitlines() == expected, done.log
    assert sum(entry.startswith("started") for entry in expected) >= 1 and sum(entry.startswith("scores") for entry in expected) == 150


def test_without_scores_only_events_are_printed(stream_program, micro_stream, tone_clips, tmp_path):
    pcm = words(tone_clips)
    done = run(stream_program, played(micro_stream), stdin=wav(pcm), folder=tmp_path)
    assert done.output.splitlines() == [entry for entry in expected_lines(micro_stream, pcm) if not entry.startswith("scores")]


@pytest.mark.parametrize("sent", [wav(np.zeros(800, np.int16), rate=8000), wav(np.zeros((800, 2), np.int16)),
                                  wav(np.zeros(800), subtype="FLOAT"), wav(np.zeros(800, np.int16))[:30]])
def test_other_audio_is_refused(stream_program, micro_stream, tmp_path, sent):
    done = run(stream_program, played(micro_stream), stdin=sent, folder=tmp_path)
    assert done.status == 1 and "no 16-bit mono WAV file of 16000 Hz" in done.log and not done.output


def other_bytes(model):
    start = model.start

    def changed():
        infer = start()
        return lambda inputs: [bytes([infer(inputs)[0][0] ^ 2, *infer(inputs)[0][1:]])]
    model.start = changed


def no_reset(model):
    only = model.start()
    model.start = lambda: only


def failing_kernel(model):
    model.start = lambda: lambda inputs: None


@pytest.mark.parametrize("damage, message", [
    (other_bytes, r"self-test: FAILED: \d+ of 360 bytes differ, logits by at most \d+"),
    (no_reset, r"self-test: FAILED: \d+ of 360 bytes differ"),
    (failing_kernel, "self-test: failed: a kernel failed"),
    (lambda model: setattr(model, "accepts", False), "^the model cannot be set up: the arena is too small, or a kernel refuses its node$"),
    (lambda model: setattr(model, "inputs", [(INT16, 10**6)]), "^the model cannot be set up: the arena is too small"),
    (lambda model: setattr(model, "inputs", [(INT16, 642)]), "^input or output of the model are not those of kws_model_config.h$"),
    (lambda model: setattr(model, "inputs", [(INT8, 640)]), "^input or output of the model are not those"),
    (lambda model: setattr(model, "inputs", [(INT16, 640), (INT8, 2)]), "^input or output of the model are not those"),
    (lambda model: setattr(model, "outputs", [(INT8, 7)]), "^input or output of the model are not those"),
    (lambda model: setattr(model, "outputs", [(INT8, 6), (INT8, 6)]), "^input or output of the model are not those"),
])
def test_what_goes_wrong_is_told_and_nothing_is_detected(stream_program, micro_stream, tmp_path, damage, message):
    model = played(micro_stream)
    damage(model)
    done = run(stream_program, model, stdin=bytes(64000), folder=tmp_path)
    assert done.status == 1 and not done.output and re.search(message, done.log.strip(), re.MULTILINE), done.log


def test_another_schema_version_is_refused(stream_program, micro_stream, tmp_path):
    model = played(micro_stream)
    done = run(stream_program, model, environment={"KWS_DOUBLE_VERSION": "4"}, folder=tmp_path)
    assert done.status == 1 and "another schema version" in done.log and not model.opened


def test_wrong_arguments(stream_program, micro_stream, tmp_path):
    done = run(stream_program, played(micro_stream), arguments=["--score"], folder=tmp_path)
    assert done.status == 2 and "received --score" in done.log


def test_a_clip_file_scores_its_last_clip_every_hop(clip_program, exported, tone_clips, tmp_path):
    model, windows = played(exported / "pi"), []
    start = model.start

    def watched():
        infer = start()
        return lambda inputs: [windows.append(np.frombuffer(inputs[0], "<i2"))] and infer(inputs)
    model.start = watched
    pcm, hop = words(tone_clips)[:20100], 1600
    done = run(clip_program, model, arguments=["--scores"], stdin=wav(pcm), folder=tmp_path)
    rows = [entry.split("\t") for entry in done.output.splitlines() if entry.startswith("scores")]
    assert done.status == 0 and "passed: 0 of" in done.log and [int(row[1]) for row in rows] == list(range(hop, 20100, hop))
    heard = np.concatenate([np.zeros(8000, np.int16), pcm])
    for number, window in enumerate(windows[-len(rows):], start=1):
        assert np.array_equal(window, heard[number * hop:number * hop + 8000])
    infer, score_bytes = start(), ScoreBytes(logits_spec(model_file.read(exported / "pi")[0]))
    expected = [score_bytes(np.frombuffer(infer([window.tobytes()])[0], np.int8)).tolist() for window in windows[-len(rows):]]
    assert [list(map(int, row[2:])) for row in rows] == expected and len({tuple(row) for row in expected}) > 5
    assert {entry.split("\t")[1] for entry in done.output.splitlines() if entry.startswith("started")} <= {"low", "high"}


def test_a_network_that_looks_ahead_is_told_that_every_frame_counts(stream_project, host_compiler, link_project, micro_stream, tmp_path):
    project = shutil.copytree(stream_project, tmp_path / "ahead")
    config = project / "kws_model_config.h"
    text = config.read_text(encoding="utf-8").replace("int kPcmInput = 0;", "int kPcmInput = 1;").replace("int kValidInput = -1;",
                                                                                                          "int kValidInput = 0;")
    config.write_text(text, encoding="utf-8")
    model = played(micro_stream)
    start = model.start

    def with_valid():
        infer = start()
        return lambda inputs: infer(inputs[1:]) if inputs[0] == b"\1\1" else None
    model.start, model.inputs = with_valid, [(INT8, 2), *model.inputs]
    done = run(link_project(project, "ahead"), model, arguments=["--self-test"], folder=tmp_path)
    assert done.status == 0 and "passed" in done.log, done.log


@pytest.mark.skipif(not RUNNER, reason="KWS_TFLM_RUNNER names no runner program (firmware/README.md says what it has to do)")
@pytest.mark.parametrize("project, file", [("stream_project", "micro_stream"), ("clip_project", "exported")])
def test_in_tflite_micro_itself(request, project, file, tone_clips):
    folder, exported = request.getfixturevalue(project), request.getfixturevalue(file)
    done = subprocess.run([RUNNER, folder, "--self-test"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "passed: 0 of" in done.stderr, done.stderr
    if file == "micro_stream":
        pcm = words(tone_clips)
        done = subprocess.run([RUNNER, folder, "--scores"], input=wav(pcm), capture_output=True, check=False)
        assert done.stdout.decode().splitlines() == list(expected_lines(exported, pcm)), done.stderr.decode()
