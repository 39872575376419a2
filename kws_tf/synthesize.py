"""Makes a data set from phrases alone: speech by a text-to-speech engine, near misses, other speech, noise.

    python -m kws_tf.synthesize --phrase "hey jarvis" --output data/jarvis
    python -m kws_tf.synthesize --phrase computer --phrase alexa --output data/wake --recordings my_recordings
    python -m kws_tf.synthesize --phrase "hey jarvis" --output data/jarvis --engine espeak --engine flite --engine festival
    python -m kws_tf.synthesize --phrase "hey jarvis" --output data/jarvis --engine piper --voice en_US-libritts-high.onnx
    python -m kws_tf.synthesize --phrase "hey jarvis" --output data/jarvis --engine command \\
        --command "say -v {voice} -o {output} {text}" --voice Samantha --voice Daniel --voice Karen

The folder is a data set for kws_tf.train: {training,validation,testing}/<class>/*.flac with a class per phrase, _unknown_ and
_silence_, noise/ for --noise_dir, and manifest.jsonl, which tells text, phonemes, speaker, voice and seed of every clip. No speaker is
in two splits. A run that was interrupted goes on where it ended; equal flags give equal files. Works offline.

With several engines each speaks as many clips of every class and kind of training as each other; the speakers of the first are dealt to
training, validation and testing, the voices of the others speak in training alone.

Licences: the speech of espeak-ng and the noise are free to use; espeak-ng itself (GPL-3.0-or-later) is loaded when this program runs.
Words come from wordfreq (lists CC BY-SA 4.0) unless --word_list is given. Flite and Festival are free for every use, Pico is Apache-2.0;
for Piper and other programs see the licence of the voice.
"""

from absl import flags

from kws_tf.counted import counted
from kws_tf.errors import ConfigError
from kws_tf.flags import define_numbers, refuse_arguments, run
from kws_tf.synthesis.engine import NAMES

FLAGS = flags.FLAGS
SHOWN_NEAR_MISSES = 12


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    place = {"flag_values": flag_values, "module_name": "synthesize"}
    flags.DEFINE_multi_string("phrase", [], "What to detect; give it once per class.", **place)
    flags.DEFINE_string("output", "", "Folder to make.", **place)
    flags.DEFINE_string("language", "en", "Language of phrases and other words: en takes all accents, en-gb those of Britain.", **place)
    flags.DEFINE_multi_enum("engine", ["espeak"], NAMES, "Who speaks. Give it once per engine: all speak equally often in training, the "
                            "first alone in validation and testing.", **place)
    flags.DEFINE_multi_string("voice", [], "Piper: FILE.onnx; command: what {voice} becomes; espeak: an accent; flite, festival, pico: a "
                              "name, all if none is given. Give it once per voice; with several engines as ENGINE:VOICE.", **place)
    flags.DEFINE_string("command", "", "Engine command: a program and its arguments with {text} and {output}; {voice}, {speed} and {seed} "
                        "if it knows them.", **place)
    define_numbers("positives", (2000, 250, 250), "Clips of each phrase in training,validation,testing.", int, **place)
    define_numbers("unknowns", (4000, 500, 500), "Clips of other speech in training,validation,testing.", int, **place)
    define_numbers("other_speech", (4000, 500, 500), "At most so many pieces of --negatives in training,validation,testing.", int, **place)
    define_numbers("silences", (400, 50, 50), "Clips of noise alone in training,validation,testing.", int, **place)
    flags.DEFINE_float("clip_duration", 1.5, "Length of every clip in seconds; a phrase must fit.", **place)
    flags.DEFINE_integer("sample_rate", 16000, "Hz.", **place)
    define_numbers("snr_db", (0.0, 30.0), "Low,high of speech over noise in the clips of validation and testing.", **place)
    flags.DEFINE_string("word_list", "", "File of words for negatives, one per line, most frequent first; empty for wordfreq.", **place)
    flags.DEFINE_integer("near_misses", 200, "Different near misses of each phrase.", lower_bound=1, **place)
    flags.DEFINE_integer("seed", 1, "Of every random draw.", lower_bound=0, **place)
    flags.DEFINE_string("recordings", "", "Folder of your own recordings to merge in: <class>/<speaker>/*, split by speaker.", **place)
    flags.DEFINE_float("recorded_share", 0.25, "Recordings of a phrase are repeated in training until they are this share of its "
                       "positives; 0 for no repeats.", lower_bound=0, **place)
    flags.DEFINE_string("negatives", "", "Folder of recordings without the phrases, cut into pieces of _unknown_; folders training, "
                        "validation and testing in it are kept apart, else recordings are dealt.", **place)
    flags.DEFINE_string("speaker_pattern", "", "Regular expression that finds the speaker in the path of a recording (its first group).",
                        **place)
    flags.DEFINE_integer("workers", 0, "Processes; 0 for one per processor.", lower_bound=0, **place)
    flags.DEFINE_boolean("dry_run", False, "Say what would be made, and make nothing.", **place)


def settings():
    """The SynthesisConfig that the flags describe."""
    from kws_tf.synthesis.settings import SynthesisConfig

    return SynthesisConfig(
        phrases=tuple(FLAGS.phrase), language=FLAGS.language, seed=FLAGS.seed, word_list=FLAGS.word_list, near_misses=FLAGS.near_misses,
        clip_seconds=FLAGS.clip_duration, sample_rate=FLAGS.sample_rate, recorded_share=FLAGS.recorded_share,
        **{name: getattr(FLAGS, name) for name in ("snr_db", "positives", "unknowns", "other_speech", "silences")})


def describe(planned, recordings):
    """Prints what the set holds."""
    for split, speakers in planned.speakers.items():
        own = [clip for clip in [*planned.clips, *recordings] if clip.file.startswith(f"{split}/")]
        counts = {label: sum(clip.label == label for clip in own) for label in dict.fromkeys(clip.label for clip in own)}
        print(f"{split:10}  {counted(len(own), 'clip')} by {counted(len(speakers), 'speaker')}: "
              + ", ".join(f"{label} {n}" for label, n in counts.items()))
        spoken = [clip.voice["engine"] for clip in own if "engine" in clip.voice]
        if spoken:
            print(f"{'':10}  spoken by {', '.join(f'{name} {spoken.count(name)}' for name in dict.fromkeys(spoken))}")
    for phrase, found in planned.near_misses.items():
        shown = ", ".join(f"{miss.text} ({miss.distance:g})" for miss in found[:SHOWN_NEAR_MISSES])
        print(f"{counted(len(found), 'near miss', 'near misses')} of {phrase!r} by phoneme edit distance: {shown}"
              + (", …" if len(found) > SHOWN_NEAR_MISSES else ""))


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.phrase:
        raise ConfigError('--phrase is missing: what to detect, such as --phrase "hey jarvis".')
    if not FLAGS.output:
        raise ConfigError("--output is missing: the folder to make.")
    if FLAGS.speaker_pattern and not FLAGS.recordings:
        raise ConfigError("--speaker_pattern belongs to --recordings; give both.")
    if FLAGS.command and "command" not in FLAGS.engine:
        raise ConfigError("--command belongs to --engine=command; give both.")
    from kws_tf.synthesis import clip_plan, clip_set, engine, other_speech, recordings

    chosen = engine.choose_all(FLAGS.engine, language=FLAGS.language, voices=FLAGS.voice, command=FLAGS.command)
    config = settings()
    own = [*(recordings.find(FLAGS.recordings, config, FLAGS.speaker_pattern) if FLAGS.recordings else ()),
           *(other_speech.find(FLAGS.negatives, config) if FLAGS.negatives else ())]
    if FLAGS.dry_run:
        describe(clip_plan.plan(config, chosen), own)
        return
    made = clip_set.make(FLAGS.output, config, chosen, recordings=own, n_workers=FLAGS.workers or None)
    print(f"{FLAGS.output}: {'made' if made else 'there already, with these settings'}. Train on it with\n"
          f"  python -m kws_tf.train --data_root {FLAGS.output} --noise_dir {FLAGS.output}/noise --clip_duration {config.clip_seconds:g}")


if __name__ == "__main__":
    run(main, define, extra="synth")
