import io
import json
import subprocess
import sys
import types

import numpy as np
import pytest
import soundfile
from absl import flags

from kws_tf import listen
from kws_tf.errors import AudioError, ConfigError, ModelFileError
from kws_tf.evaluation import evaluate_stream
from tests.spoken_stream import speak

SPOKEN = [(1, 100, 140), (2, 300, 340)]


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the program in this process with something on its standard input; returns its output."""
    def call(*arguments, stdin=b""):
        values = flags.FlagValues()
        listen.define(values)
        rest = values(["listen", *map(str, arguments)])
        monkeypatch.setattr(listen, "FLAGS", values)
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(stdin)))
        capfd.readouterr()
        assert listen.main(rest) is None
        return capfd.readouterr()
    return call


def test_a_pipe_reports_each_word_at_its_time(run, spoken_model):
    pcm = speak(500, SPOKEN)
    wav = io.BytesIO()
    soundfile.write(wav, pcm, 16000, format="WAV", subtype="PCM_16")
    # Threshold 204 of 255 over ten scores: the eighth score, 80 ms after the start.
    for content in (pcm.tobytes(), wav.getvalue()):
        output = run("--model", spoken_model, "--input", "-", stdin=content)
        assert [line.split() for line in output.out.splitlines()] == [["1.08", "s", "jarvis", "0.80"], ["3.08", "s", "computer", "0.80"]]
        assert output.err.startswith(f"{spoken_model} is not calibrated: threshold 0.8 is a guess.") and output.err.count("\n") == 1


def test_json_events_are_those_of_evaluate(run, spoken_model, tmp_path):
    soundfile.write(tmp_path / "a.flac", speak(500, [*SPOKEN, (1, 480, 500)]), 16000)
    lines = [json.loads(line) for line in run("--model", spoken_model, "--input", tmp_path / "a.flac", "--json").out.splitlines()]
    report = evaluate_stream(spoken_model, ambient=tmp_path / "a.flac", workers=1, progress=False)
    ended = [{name: value for name, value in line.items() if name != "event"} for line in lines if line["event"] == "end"]
    counted = [{name: value for name, value in line.items() if name != "recording"} for line in report["ambient"]["events"]]
    assert sorted(ended, key=str) == sorted(counted, key=str) and len(ended) == 3 and ended[-1]["end_seconds"] is None
    assert [line["keyword"] for line in lines if line["event"] == "start"] == ["jarvis", "computer", "jarvis"]


def test_settings_and_meter(run, spoken_model, tmp_path):
    soundfile.write(tmp_path / "a.wav", speak(500, SPOKEN), 16000)
    arguments = ("--model", spoken_model, "--input", tmp_path / "a.wav")
    settings = ("--keywords", "computer", "--threshold", 0.5, "--window_scores", 20, "--meter")
    output = run(*arguments, *settings, "--gain", 6)
    assert "a guess" not in output.err and output.err.endswith(" % of a core.\n") and "5.0 s of audio took" in output.err
    assert [line.split()[::2] for line in output.out.splitlines()] == [["1.11", "computer"]], "6 dB make a 1 a 2"
    output = run(*arguments, *settings)
    assert [line.split()[::2] for line in output.out.splitlines()] == [["3.11", "computer"]]
    assert "dBFS [" in output.err and "computer 0.00" in output.err and "jarvis" not in output.err


def test_a_command_runs_for_every_event(run, spoken_model, tmp_path):
    soundfile.write(tmp_path / "a.wav", speak(500, SPOKEN), 16000)
    run("--model", spoken_model, "--input", tmp_path / "a.wav", "--on_detection",
        f"echo $KWS_KEYWORD $KWS_SECONDS $KWS_SCORE >> {tmp_path}/$KWS_KEYWORD.txt")
    assert (tmp_path / "jarvis.txt").read_text() == "jarvis 1.08 0.8\n"
    assert (tmp_path / "computer.txt").exists()


def test_meter_text():
    assert listen.meter_text(-30.0, {"a": 0.5, "b": 1}) == " -30.0 dBFS [##########          ]  a 0.50  b 1.00"
    assert "[" + " " * 20 + "]" in listen.meter_text(-120.0, {}) and "[" + "#" * 20 + "]" in listen.meter_text(3.0, {})


def test_devices_are_listed(run, monkeypatch):
    from kws_tf.runtime import sources
    monkeypatch.setattr(sources, "microphones", lambda: [(0, "built in", 1, 48000.0, False), (2, "usb", 2, 16000.0, True)])
    assert run("--list_devices").out == "  0  built in  (1 channels, 48000 Hz)\n  2* usb  (2 channels, 16000 Hz)\n"
    monkeypatch.setattr(sources, "microphones", lambda: [])
    assert "no microphone was found; use --input FILE" in run("--list_devices").out


@pytest.mark.parametrize("arguments, error, message", [
    ([], ConfigError, "--model is missing"),
    (["--model", "absent", "--input", "-"], ModelFileError, "absent: there is no such file"),
    (["--model", "m", "--input", "a.wav", "--device", "2"], ConfigError, "--device and --input contradict each other"),
    (["--model", "m", "--input", "-", "--real_time"], ConfigError, "--real_time is for --input FILE"),
    (["--model", "m", "a.wav"], ConfigError, "unexpected argument 'a.wav'; a recording is given as --input FILE"),
])
def test_wrong_arguments(run, arguments, error, message):
    with pytest.raises(error, match=message):
        run(*arguments)


def test_a_recording_that_cannot_be_read(run, spoken_model, tmp_path):
    with pytest.raises(AudioError, match="b.wav: cannot be opened"):
        run("--model", spoken_model, "--input", tmp_path / "b.wav")


def test_it_needs_no_more_than_the_extra_pi(tmp_path):
    """Everything but numpy, soundfile, absl and an interpreter is out of reach."""
    code = ("import sys\n"
            "others = ('tensorflow', 'keras', 'scipy', 'tqdm', 'matplotlib', 'rich', 'flatbuffers', 'sounddevice')\n"
            "class Refuse:\n"
            "    def find_spec(self, name, path, target=None):\n"
            "        if name.split('.')[0] in others:\n"
            "            raise ImportError(f'{name} is not in the extra pi')\n"
            "sys.meta_path.insert(0, Refuse())\n"
            "from kws_tf import listen\n"
            "from kws_tf.flags import run\n"
            "sys.argv = ['listen', '--model', 'absent', '--input', '-']\n"
            "run(listen.main, listen.define)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: absent: there is no such file. --model takes a .tflite file, its export folder, or the name "
                                  "of a shipped model")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_real_model_hears_a_known_tone_through_a_pipe(run, small_stream, tone_clips):
    pcm, labels = tone_clips
    quiet = np.random.default_rng(2).normal(0, 30, 16000).astype(np.int16)
    index = int(np.flatnonzero(labels == 1)[0])
    content = np.concatenate([quiet, pcm[index], quiet]).tobytes()
    lines = run("--model", small_stream, "--input", "-", "--keywords", "low", "--threshold", 0.6, "--window_scores", 5, "--json",
                stdin=content).out.splitlines()
    first = json.loads(lines[0])
    assert first["keyword"] == "low" and 1.0 < first["start_seconds"] < 2.0
