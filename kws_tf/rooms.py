"""Makes a folder of room impulse responses for training with --rir_dir.

    python -m kws_tf.rooms --output data/rooms
    python -m kws_tf.rooms --output data/halls --rooms 50 --side_m 8,20 --height_m 3,6 --rt60_s 0.6,1.2

Every file is a random room of the image-source method with two channels: from a voice and from a noise source to the microphone, at their
true level ratio. Recorded impulse responses need no program: a folder of them is a --rir_dir as it is.
"""

from absl import flags

from kws_tf.counted import counted
from kws_tf.errors import ConfigError
from kws_tf.flags import define_numbers, refuse_arguments, run

FLAGS = flags.FLAGS
RANGES = {"side_m": "length and width of a room in metres", "height_m": "its height", "rt60_s": "its reverberation time in seconds",
          "voice_m": "distance of the voice from the microphone in metres", "noise_m": "distance of the noise source"}


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    from kws_tf.synthesis.room_set import RoomConfig

    place = {"flag_values": flag_values, "module_name": "rooms"}
    flags.DEFINE_string("output", "", "Folder to make.", **place)
    flags.DEFINE_integer("rooms", RoomConfig.rooms, "Number of rooms.", lower_bound=1, **place)
    flags.DEFINE_integer("seed", RoomConfig.seed, "Of every random draw.", lower_bound=0, **place)
    flags.DEFINE_integer("sample_rate", RoomConfig.sample_rate, "Hz.", **place)
    for name, text in RANGES.items():
        define_numbers(name, getattr(RoomConfig, name), f"Low,high of {text}.", **place)
    flags.DEFINE_integer("workers", 0, "Processes; 0 for one per processor.", lower_bound=0, **place)


def main(argv):
    refuse_arguments(argv)
    if not FLAGS.output:
        raise ConfigError("--output is missing: the folder to make.")
    from kws_tf import worker_pool
    from kws_tf.synthesis import room_set

    settings = room_set.RoomConfig(rooms=FLAGS.rooms, seed=FLAGS.seed, sample_rate=FLAGS.sample_rate,
                                   **{name: getattr(FLAGS, name) for name in RANGES})
    found, made = room_set.make(FLAGS.output, settings, n_workers=FLAGS.workers or worker_pool.processors())
    print(f"{FLAGS.output}: {counted(len(found), 'room')}{'' if made else ', there already'}. Train with them: --rir_dir {FLAGS.output}")


if __name__ == "__main__":
    run(main, define, extra="synth")
