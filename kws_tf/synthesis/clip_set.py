"""Makes a synthesised data set on disk: in parallel, resumable, the same from the same settings, whole or not at all."""

import dataclasses
import hashlib
import json
import os
import pathlib

import numpy as np
import tqdm
from absl import logging

from kws_tf import atomic_file, config, worker_pool
from kws_tf.counted import counted
from kws_tf.dataset.clip_manifest import MANIFEST_FILE
from kws_tf.errors import DatasetError
from kws_tf.synthesis import mixing, noise, other_speech, sound_file
from kws_tf.synthesis.clip_plan import plan
from kws_tf.synthesis.render import render, utterance

SETTINGS_FILE = "synthesis.json"
_JOURNAL_FILE = "journal.jsonl"
_NOISE_SECONDS, _TALK_SECONDS = 12, 60
_CHUNK = 16


def make(output_dir, settings, engine, *, recordings=(), n_workers=None, progress=True):
    """Makes the data set, goes on with one that was interrupted, or finds it already made.

    The folder appears under its final name when it is complete. Until then it grows in a hidden folder beside it, with a journal of
    the clips that are done: a run that was killed continues there and ends with the same files.

    Layout: <output_dir>/{training,validation,testing}/<class>/*.flac, noise/*.flac for augmentation, manifest.jsonl with every
    parameter of every clip, synthesis.json with the settings.

    Args:
        output_dir: folder to make; absent, empty, or this very set.
        settings: SynthesisConfig. engine: Engine.
        recordings: clips of `recordings.find`.
        n_workers: processes; default one per processor that this process may use. 1 works without child processes.
        progress: show a progress bar, if there is a terminal.

    Returns:
        True if it was made, False if it was there already.

    Raises:
        DatasetError: the folder exists and holds something else, cannot be made, or is being made by another process.
        KwsError: the engine is not installed, or a clip cannot be made.
    """
    output_dir = pathlib.Path(output_dir)
    planned = plan(settings, engine)
    clips = [*planned.clips, *recordings]
    # The digest also tells sets apart whose words, voices or recordings differ, which are no settings.
    identity = {"settings": config.to_dict(settings), "engine": json.loads(json.dumps(engine.identity())),
                "plan_sha256": hashlib.sha256((repr(clips) + _states(clips)).encode()).hexdigest()}
    if output_dir.exists() and not (output_dir.is_dir() and not any(output_dir.iterdir())):
        _check_same(output_dir, identity)
        return False
    try:
        with atomic_file.growing_folder(output_dir) as partial:
            _fill(partial, identity, planned, recordings, settings, engine, n_workers, progress)
            # In this order: without its journal, a set that was killed here would be made again from the start.
            atomic_file.appear(partial, output_dir)
        (output_dir / _JOURNAL_FILE).unlink()
    except OSError as error:
        raise DatasetError(f"synthesis: --output={output_dir} cannot be made: {error.strerror or error}.") from error
    speakers = {clip.speaker for clip in clips if clip.speaker}
    logging.info("%s: %s by %s.", output_dir, counted(len(clips), "clip"), counted(len(speakers), "speaker"))
    return True


def _states(clips):
    """Sizes and times of change of the recordings, as text; "" without any."""
    states = [os.stat(source) for source in sorted({clip.source for clip in clips if clip.source})]
    return "".join(f" {state.st_size} {state.st_mtime_ns}" for state in states)


def _fill(partial, identity, planned, recordings, settings, engine, n_workers, progress):
    clips = [*planned.clips, *recordings]
    done = _resume(partial, identity, clips)
    if not done:
        _write_noise(partial / "noise", planned, settings, engine)
        _write_talk(partial / "noise", recordings, settings)
    with open(partial / _JOURNAL_FILE, "a", encoding="utf-8") as journal:
        todo = clips[len(done):]
        jobs = ((clip, settings, engine, partial) for clip in todo)
        bar = tqdm.tqdm(worker_pool.imap(_render_file, jobs, n_workers or worker_pool.processors(), _CHUNK), total=len(clips),
                        initial=len(done), desc="synthesising", unit="clip", mininterval=1, disable=None if progress else True)
        for clip in bar:
            done.append(json.dumps(dataclasses.asdict(clip), ensure_ascii=False))
            journal.write(done[-1] + "\n")
            journal.flush()
    atomic_file.write_text(partial / MANIFEST_FILE, "".join(line + "\n" for line in done))


def spoken_by(folder):
    """Names of the engines of a set, "espeak, flite"; "" if there is none that can be read."""
    try:
        return json.loads((pathlib.Path(folder) / SETTINGS_FILE).read_text(encoding="utf-8"))["engine"]["engine"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _check_same(output_dir, identity):
    try:
        found = json.loads((output_dir / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != identity:
        theirs, ours = spoken_by(output_dir), identity["engine"]["engine"]
        kind = ("something else" if found is None else "a set of other settings, other recordings or another version"
                if theirs in ("", ours) else f"a set spoken by {theirs}, not by {ours} (--engine)")
        raise DatasetError(f"synthesis: {output_dir} exists and holds {kind}. Delete it, or choose another folder.")


def _resume(partial, identity, clips):
    """Lines of the clips that an interrupted run of the same plan has made; a folder of anything else is made anew."""
    try:
        _check_same(partial, identity)
        lines = (partial / _JOURNAL_FILE).read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last line end was cut off
        # Clips are done in the order of the plan.
        if all(json.loads(line)["file"] == clip.file for line, clip in zip(lines, clips, strict=False)):
            logging.info("%s: going on after %d of %d clips.", partial, len(lines), len(clips))
            (partial / _JOURNAL_FILE).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
            return lines
    except (DatasetError, OSError, ValueError, KeyError, TypeError):
        if any(partial.iterdir()):
            logging.warning("%s: left by a run of other settings, other recordings or another version; it is made anew.", partial)
    atomic_file.clear(partial)
    for folder in {(partial / clip.file).parent for clip in clips} | {partial / "noise"}:
        folder.mkdir(parents=True)
    atomic_file.write_text(partial / SETTINGS_FILE, json.dumps(identity, indent=1, ensure_ascii=False) + "\n")
    return []


def _write_noise(folder, planned, settings, engine):
    """Recordings for augmentation, from another stream of random numbers than the noise within the clips; babble by training's speakers."""
    rng = np.random.default_rng((settings.seed, 1))
    n_samples = _NOISE_SECONDS * settings.sample_rate
    talk = [clip for clip in planned.clips if clip.kind == "sentence" and clip.file.startswith("training/")]
    for take in range(settings.noise_files):
        signals = {kind: noise.make(kind, n_samples, settings.sample_rate, rng) for kind in noise.NOISES}
        if settings.babble_voices and talk:
            signals["babble"] = _babble(talk, n_samples, settings, engine, rng)
        for kind, signal in signals.items():
            sound_file.write(folder / f"{kind}_{take}.flac", mixing.to_pcm(signal, -1.0), settings.sample_rate)


def _write_talk(folder, recordings, settings):
    """Pieces of other speech in training as background noise: where real voices are only negatives, a network learns to refuse whatever
    sounds real, and takes synthetic voices alone."""
    pieces = [clip for clip in recordings if clip.kind == other_speech.KIND and clip.file.startswith("training/")]
    rng = np.random.default_rng((settings.seed, 4))
    for take in range(settings.noise_files if pieces else 0):
        speech = np.zeros(0, np.int16)
        while len(speech) < _TALK_SECONDS * settings.sample_rate:
            speech = np.concatenate([speech, other_speech.read(pieces[rng.integers(len(pieces))], settings.sample_rate)])
        sound_file.write(folder / f"talk_{take}.flac", speech, settings.sample_rate)


def _babble(talk, n_samples, settings, engine, rng):
    """Several speakers at once, each at a level of its own, saying one sentence after the other without a pause."""
    total = np.zeros(n_samples)
    for _ in range(settings.babble_voices):
        speech, speaker = np.zeros(0), talk[rng.integers(len(talk))]
        while len(speech) < n_samples:
            said = dataclasses.replace(speaker, pieces=talk[rng.integers(len(talk))].pieces)
            speech = np.concatenate([speech, utterance(said, settings, engine)])
        total += 10 ** (rng.uniform(-12, 0) / 20) * speech[:n_samples] / np.sqrt(np.mean(np.square(speech)))
    return total


def _render_file(job):
    clip, settings, engine, folder = job
    pcm, clip = render(clip, settings, engine)
    sound_file.write(folder / clip.file, pcm, settings.sample_rate)
    return clip
