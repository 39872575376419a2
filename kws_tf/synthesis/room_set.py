"""Room impulse responses of random rooms by the image-source method, in pairs: one from a voice, one from a noise source."""

import dataclasses
import json
import pathlib

import numpy as np

from kws_tf import atomic_file, worker_pool
from kws_tf.errors import ConfigError, DatasetError, KwsError
from kws_tf.synthesis import sound_file

SPEED_OF_SOUND = 343.0
PAIRS_FILE = "rooms.json"
_WALL_M = 0.3
_VOICE_HEIGHT_M, _MICROPHONE_HEIGHT_M, _NOISE_HEIGHT_M = (1.0, 1.8), (0.5, 1.6), (0.3, 2.0)
_TRIES = 200


@dataclasses.dataclass(frozen=True)
class RoomConfig:
    """How rooms are drawn.

    Args:
        rooms: number of rooms, one pair of responses each.
        seed: of every draw.
        sample_rate: Hz.
        side_m: low and high of length and width. height_m: of the height.
        rt60_s: reverberation time: how long sound takes to fall by 60 dB.
        voice_m: distance of the voice from the microphone. noise_m: of the noise source.
    """

    rooms: int = 200
    seed: int = 1
    sample_rate: int = 16000
    side_m: tuple[float, ...] = (3.0, 8.0)
    height_m: tuple[float, ...] = (2.3, 3.2)
    rt60_s: tuple[float, ...] = (0.2, 0.6)
    voice_m: tuple[float, ...] = (0.5, 4.0)
    noise_m: tuple[float, ...] = (0.5, 6.0)

    def __post_init__(self):
        for name, low, high in (("side_m", 1.5, 50), ("height_m", 2.1, 20), ("rt60_s", 0.05, 3), ("voice_m", 0.05, 50),
                                ("noise_m", 0.05, 50)):
            ends = getattr(self, name)
            if len(ends) != 2 or not low <= ends[0] <= ends[1] <= high:
                raise ConfigError(f"rooms: {name} must be two numbers, low,high, from {low:g} to {high:g}; received {ends!r}. "
                                  f"Set --{name}.")
        if self.rooms < 1 or not 8000 <= self.sample_rate <= 48000:
            raise ConfigError(f"rooms: expected at least one room and 8000 to 48000 Hz; received {self.rooms} and {self.sample_rate}.")


@dataclasses.dataclass(frozen=True)
class Room:
    """One drawn room: size and positions in metres, [x, y, z]; reverberation time in seconds."""

    size: tuple[float, ...]
    rt60_s: float
    microphone: tuple[float, ...]
    voice: tuple[float, ...]
    noise: tuple[float, ...]

    @property
    def voice_m(self):
        """Distance of the voice from the microphone."""
        return float(np.linalg.norm(np.subtract(self.voice, self.microphone)))

    @property
    def noise_m(self):
        """Distance of the noise source from the microphone."""
        return float(np.linalg.norm(np.subtract(self.noise, self.microphone)))


def draw(settings, rng):
    """A room in which microphone, voice and noise source have their distances and keep away from the walls.

    A reverberation time below what Sabine's formula gives for walls that swallow all sound is drawn again: a large room is never so dry.

    Args:
        settings: RoomConfig. rng: numpy Generator.

    Returns:
        Room.

    Raises:
        ConfigError: no such room was found; the ranges contradict each other.
    """
    for _ in range(_TRIES):
        size = (rng.uniform(*settings.side_m), rng.uniform(*settings.side_m), rng.uniform(*settings.height_m))
        rt60 = rng.uniform(*settings.rt60_s)
        if rt60 <= 1.05 * _shortest_rt60(size):
            continue
        microphone = _inside(size, _MICROPHONE_HEIGHT_M, rng)
        voice = _at_distance(size, microphone, settings.voice_m, _VOICE_HEIGHT_M, rng)
        noise = _at_distance(size, microphone, settings.noise_m, _NOISE_HEIGHT_M, rng)
        if voice is not None and noise is not None:
            size, microphone, voice, noise = (tuple(round(float(value), 3) for value in point)
                                              for point in (size, microphone, voice, noise))
            return Room(size, round(rt60, 3), microphone, voice, noise)
    raise ConfigError("rooms: no room of these sizes holds a voice and a noise source at these distances with this reverberation time; "
                      "widen --side_m, --voice_m, --noise_m or --rt60_s.")


def _shortest_rt60(size):
    x, y, z = size
    return 24 * np.log(10) / SPEED_OF_SOUND * x * y * z / (2 * (x * y + x * z + y * z))


def _inside(size, heights, rng):
    return np.array([rng.uniform(_WALL_M, size[0] - _WALL_M), rng.uniform(_WALL_M, size[1] - _WALL_M), rng.uniform(*heights)])


def _at_distance(size, centre, distances, heights, rng):
    for _ in range(_TRIES):
        distance, height = rng.uniform(*distances), rng.uniform(*heights)
        horizontal = distance**2 - (height - centre[2]) ** 2
        if horizontal < 0:
            continue
        angle = rng.uniform(0, 2 * np.pi)
        point = np.array([*(centre[:2] + np.sqrt(horizontal) * np.array([np.cos(angle), np.sin(angle)])), height])
        if (point[:2] >= _WALL_M).all() and (point[:2] <= np.array(size[:2]) - _WALL_M).all():
            return point
    return None


def responses(room, sample_rate):
    """Impulse responses from the voice and from the noise source to the microphone (Allen and Berkley, 1979), by rir-generator.

    Direct sounds are the first samples, so that a clip keeps its timing and a near noise source is heard from its beginning. Both are
    divided by the root of the energy of the voice's response: the level of speech stays, and the noise keeps its true ratio to it.

    Args:
        room: Room. sample_rate: Hz.

    Returns:
        float64 [samples, 2], voice and noise, rt60_s long.

    Raises:
        KwsError: rir-generator is not installed.
    """
    try:
        import rir_generator
    except ImportError as error:
        raise KwsError("Rooms need the package rir-generator, which is not installed: pip install 'kws_tf[synth]'.") from error
    # Later than any direct sound in the room.
    margin = round(sum(room.size) / SPEED_OF_SOUND * sample_rate)
    n_samples = round(room.rt60_s * sample_rate)
    pair = [rir_generator.generate(SPEED_OF_SOUND, sample_rate, [room.microphone], source, room.size, reverberation_time=room.rt60_s,
                                   nsample=n_samples + margin)[:, 0] for source in (room.voice, room.noise)]
    direct = [round(distance / SPEED_OF_SOUND * sample_rate) for distance in (room.voice_m, room.noise_m)]
    voice, noise = (response[start:start + n_samples] for response, start in zip(pair, direct, strict=True))
    return np.stack([voice, noise], axis=1) / np.sqrt(np.sum(voice**2))


def make(output_dir, settings, *, n_workers=1, progress=True):
    """Writes room_00000.wav ... (32-bit float, two channels: voice, noise) and rooms.json, which says so and describes every room.

    The folder appears when it is complete: rooms without rooms.json would be taken for recordings. Rooms of equal settings that are there
    are found.

    Args:
        output_dir: folder to make. settings: RoomConfig.
        n_workers: processes. progress: show a progress bar, if there is a terminal.

    Returns:
        (list of Room; True if they were made, False if they were there already).

    Raises:
        DatasetError: the folder exists and holds something else, or cannot be made.
    """
    import tqdm

    output_dir = pathlib.Path(output_dir)
    rng = np.random.default_rng(settings.seed)
    rooms = [draw(settings, rng) for _ in range(settings.rooms)]
    described = [{**dataclasses.asdict(room), "voice_m": round(room.voice_m, 3), "noise_m": round(room.noise_m, 3)} for room in rooms]
    text = json.dumps({"channels": ["voice", "noise"], "settings": dataclasses.asdict(settings), "rooms": described}, indent=1) + "\n"
    if output_dir.is_dir() and any(output_dir.iterdir()):
        if not _holds(output_dir / PAIRS_FILE, text):
            raise DatasetError(f"rooms: {output_dir} is not empty and holds no rooms of these settings and this version. Delete it, or "
                               "choose another folder, --output.")
        return rooms, False
    try:
        with atomic_file.new_folder(output_dir) as partial:
            jobs = [(room, settings.sample_rate, partial / f"room_{index:05d}.wav") for index, room in enumerate(rooms)]
            done = worker_pool.imap(_write, jobs, n_workers)
            for _ in tqdm.tqdm(done, total=len(jobs), desc="rooms", unit="room", disable=None if progress else True):
                pass
            atomic_file.write_text(partial / PAIRS_FILE, text)
    except OSError as error:
        raise DatasetError(f"rooms: {output_dir} cannot be made: {error.strerror}.") from error
    return rooms, True


def _holds(path, text):
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def _write(job):
    room, sample_rate, path = job
    pair = responses(room, sample_rate)
    # Within full scale; who reads it divides by the energy of the voice's response.
    sound_file.write(path, pair / np.max(np.abs(pair)), sample_rate, subtype="FLOAT")
