"""Listens for keywords: microphone, file or pipe in, events out.

    python -m kws_tf.listen --model runs/NAME/export/pi_stream
    python -m kws_tf.listen --model runs/NAME/export/pi_stream --input recording.wav --json
    arecord -f S16_LE -r 16000 -c 1 | python -m kws_tf.listen --model runs/NAME/export/pi_stream --input -

An event is reported when it starts, and with --json a second time when it ends (or the audio does), with its highest score. On a
terminal a line shows the level and the scores. A pipe carries WAV or raw 16-bit PCM at the rate of the model. --on_detection runs a
command for every event, with KWS_KEYWORD, KWS_SCORE and KWS_SECONDS in its environment. Thresholds come from the presets of the model
(kws_tf.calibrate); the events are those that kws_tf.evaluate counts on the same audio. Needs numpy, soundfile, absl and tflite-runtime
or ai-edge-litert: pip install 'kws_tf[pi]', and for a microphone 'kws_tf[pi,mic]'.
"""

import json
import os
import subprocess
import sys
import time

from absl import flags

from kws_tf.detector_settings import level_of
from kws_tf.errors import ConfigError
from kws_tf.flags import define_interpreter, refuse_arguments, run
from kws_tf.runtime import sources
from kws_tf.runtime.listener import Listener

FLAGS = flags.FLAGS
METER_DBFS = (-60, 0)
METER_WIDTH = 20
SECONDS_BETWEEN_METERS = 0.1


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "listen"}
    flags.DEFINE_string("model", "", "Streaming model: a .tflite file or the folder that holds it.", **place)
    flags.DEFINE_string("input", "", "Recording to listen to; - for standard input; empty for a microphone.", **place)
    flags.DEFINE_string("device", "", "Microphone: number or part of the name; empty for the default one.", **place)
    flags.DEFINE_boolean("list_devices", False, "List the microphones and stop.", **place)
    flags.DEFINE_boolean("real_time", False, "Play a recording at its own speed instead of as fast as possible.", **place)
    flags.DEFINE_float("gain", 0.0, "Level change in dB before the model, for a quiet microphone.", lower_bound=-60, upper_bound=60,
                       **place)
    flags.DEFINE_string("preset", "", "Preset of the detector; empty for the default one of the model.", **place)
    flags.DEFINE_list("keywords", [], "Labels that make events; by default those of the preset, or all but those such as _unknown_.",
                      **place)
    flags.DEFINE_float("threshold", None, "Mean score, 0 to 1, that starts an event, instead of that of the preset.", lower_bound=0,
                       upper_bound=1, **place)
    flags.DEFINE_integer("window_scores", None, "Scores that the detector averages, instead of those of the preset.", lower_bound=1,
                         **place)
    flags.DEFINE_boolean("json", False, "One JSON object per line for every start and end of an event.", **place)
    flags.DEFINE_boolean("meter", None, "Show level and scores; by default on a terminal without --json.", **place)
    flags.DEFINE_string("on_detection", "", "Command to run, by the shell, when an event starts.", **place)
    define_interpreter(**place)


class Commands:
    """Runs a command for every event without waiting for it.

    Args:
        command: for the shell; "" to run nothing.
    """

    def __init__(self, command):
        self._command, self._running = command, []

    def start(self, line):
        """Starts the command for an event, given as of Event.line."""
        self._running = [process for process in self._running if process.poll() is None]
        if self._command:
            environment = {"KWS_KEYWORD": line["keyword"], "KWS_SCORE": str(line["score"]), "KWS_SECONDS": str(line["start_seconds"])}
            # The shell runs what the user of this very terminal has written; the events only reach its environment.
            self._running.append(subprocess.Popen(self._command, shell=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment}))

    def wait(self):
        """Waits for those that still run."""
        for process in self._running:
            process.wait()


class Display:
    """Events and the meter on the terminal.

    Args:
        as_json: JSON lines instead of text. meter: whether to show level and scores on standard error.
        sample_rate: Hz.
    """

    def __init__(self, as_json, meter, sample_rate):
        self._json, self._meter, self._rate = as_json, meter, sample_rate
        self._next = 0.0

    def event(self, event, ended=False):
        """Reports that an event has started or ended; `ended` for one that goes on when the audio ends."""
        line, started = event.line(self._rate), event.end_sample is None and not ended
        if self._json:
            print(json.dumps({"event": "start" if started else "end", **line}, ensure_ascii=False), flush=True)
        elif started:
            self.clear()
            print(f"{line['start_seconds']:9.2f} s  {line['keyword']}  {line['score']:.2f}", flush=True)

    def show(self, listener):
        """Draws the meter, a few times a second."""
        if self._meter and time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_METERS
            sys.stderr.write("\r" + meter_text(listener.level_dbfs, listener.scores) + "\x1b[K")
            sys.stderr.flush()

    def clear(self):
        """Removes the meter."""
        if self._meter:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def meter_text(level_dbfs, scores):
    """The line of the meter: a bar for the level from -60 to 0 dBFS, and the score of every keyword."""
    low, high = METER_DBFS
    filled = round(METER_WIDTH * min(1.0, max(0.0, (level_dbfs - low) / (high - low))))
    return (f"{level_dbfs:6.1f} dBFS [{'#' * filled}{' ' * (METER_WIDTH - filled)}]  "
            + "  ".join(f"{keyword} {score:.2f}" for keyword, score in scores.items()))


def list_devices():
    """Prints the microphones."""
    found = sources.microphones()
    if not found:
        print("no microphone was found; use --input FILE, or --input - for a pipe.")
    for number, name, channels, rate, default in found:
        print(f"{number:3d}{'*' if default else ' '} {name}  ({channels} channels, {rate:g} Hz)")


def main(argv):
    refuse_arguments(argv, "a recording is given as --input FILE.")
    if FLAGS.list_devices:
        list_devices()
        return None
    if not FLAGS.model:
        raise ConfigError("--model is missing: a streaming .tflite file or the export folder that holds it.")
    if FLAGS.device and FLAGS.input:
        raise ConfigError("--device and --input contradict each other; give one of them.")
    if FLAGS.real_time and FLAGS.input in ("", "-"):
        raise ConfigError("--real_time is for --input FILE; a microphone or a pipe has its own speed.")
    threshold = None if FLAGS.threshold is None else level_of(FLAGS.threshold)
    listener = Listener(FLAGS.model, preset=FLAGS.preset, keywords=FLAGS.keywords, gain_db=FLAGS.gain, interpreter=FLAGS.interpreter,
                        kernels=FLAGS.kernels, changes={"threshold": threshold, "window_scores": FLAGS.window_scores})
    if not listener.calibrated and threshold is None:
        sys.stderr.write(f"{FLAGS.model} is not calibrated: threshold {listener.settings.threshold / 255:.1f} is a guess. Choose one by "
                         "python -m kws_tf.calibrate, or give --threshold.\n")
    meter = sys.stderr.isatty() and sys.stdout.isatty() and not FLAGS.json if FLAGS.meter is None else FLAGS.meter
    display, commands = Display(FLAGS.json, meter, listener.sample_rate), Commands(FLAGS.on_detection)
    if FLAGS.input == "-":
        source = sources.from_pipe(sys.stdin.buffer, listener.sample_rate)
    elif FLAGS.input:
        source = sources.from_file(FLAGS.input, listener.sample_rate, FLAGS.real_time)
    else:
        source = sources.from_microphone(sources.device_from_text(FLAGS.device), listener.sample_rate,
                                         on_loss=lambda text: sys.stderr.write(f"{text}\n"))
        sys.stderr.write(f"listening for {', '.join(listener.keywords)} at threshold {listener.settings.threshold / 255:.3f}; "
                         "Ctrl-C ends it.\n")
    n_samples, begun = 0, time.process_time()
    try:
        for pcm in source:
            n_samples += len(pcm)
            for event in listener.process(pcm):
                display.event(event)
                if event.end_sample is None:
                    commands.start(event.line(listener.sample_rate))
            display.show(listener)
        if listener.open_event is not None:
            display.event(listener.open_event, ended=True)
    except BrokenPipeError:
        # Whoever read the events has heard enough; Python would complain once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        display.clear()
    commands.wait()
    if FLAGS.input not in ("", "-") and n_samples:
        seconds, busy = n_samples / listener.sample_rate, time.process_time() - begun
        sys.stderr.write(f"{seconds:.1f} s of audio took {busy:.2f} s of processor time: {100 * busy / seconds:.1f} % of a core.\n")
    return None


if __name__ == "__main__":
    run(main, define)
