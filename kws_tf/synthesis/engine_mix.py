"""EngineMix: several engines that speak in one data set."""

import dataclasses

from kws_tf.synthesis.engine import Take


@dataclasses.dataclass(frozen=True)
class EngineMix:
    """Engines as one engine. Names of its takes begin with that of their engine, "flite:slt"; a voice tells its engine too.

    The first engine needs speakers for all splits. Those of the others are few, and some of them are one person ("flite:slt" and
    "festival:cmu_us_slt_arctic_hts"), so they speak in training alone.

    Args:
        engines: pairs of name and Engine.
    """

    engines: tuple

    def identity(self):
        return {"engine": ", ".join(name for name, _ in self.engines), "engines": [engine.identity() for _, engine in self.engines]}

    def speakers(self):
        return _named(*self.engines[0])

    def training_casts(self):
        """Tuple of casts, one per further engine, each a tuple of speakers."""
        return tuple(_named(name, engine) for name, engine in self.engines[1:])

    def draw(self, take, rng):
        name, _, identifier = take.identifier.partition(":")
        return {"engine": name, **self._engine(name).draw(Take(identifier, take.gender), rng)}

    def faster(self, voice):
        quick = self._engine(voice["engine"]).faster(_own(voice))
        return None if quick is None else {"engine": voice["engine"], **quick}

    def speak(self, text, voice, seed):
        return self._engine(voice["engine"]).speak(text, _own(voice), seed)

    def _engine(self, name):
        return dict(self.engines)[name]


def training_casts(engine):
    """What speaks in training besides `engine.speakers()`: tuple of casts; none of an engine that is not a mix."""
    return engine.training_casts() if isinstance(engine, EngineMix) else ()


def _named(name, engine):
    return tuple(tuple(Take(f"{name}:{take.identifier}", take.gender) for take in takes) for takes in engine.speakers())


def _own(voice):
    return {key: value for key, value in voice.items() if key != "engine"}
