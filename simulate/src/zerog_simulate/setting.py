"""A setting of a policy: its name, what it may be, and how a search varies it.

Settings have the names that the manifests use, so that a result can be copied into one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from random import Random

from zerog.model.errors import ConfigError

Value = float | str
Values = Mapping[str, Value]
#: A number is searched on a scale that begins with steps of this part of its range.
FINEST = 0.001
#: A step of the search, as a part of that scale (standard deviation).
STEP = 0.15


@dataclass(frozen=True, slots=True)
class Setting:
    """A number between `least` and `most`, or one of `choices`."""

    name: str
    default: Value
    least: float = 0.0
    most: float = 0.0
    #: What a search tries; a number without it is not searched.
    searched: tuple[float, float] | None = None
    whole: bool = True
    choices: tuple[str, ...] = ()

    def read(self, text: str) -> Value:
        """Return the value that a person wrote. `ValueError` says what it may be."""
        if self.choices:
            if text not in self.choices:
                raise ValueError(f"{self.name} is one of {', '.join(self.choices)}, not {text!r}")
            return text
        kind = "a whole number" if self.whole else "a number"
        try:
            value: float = int(text) if self.whole else float(text)
        except ValueError:
            value = self.least - 1
        if not self.least <= value <= self.most:
            raise ValueError(f"{self.name} is {kind} of {self.least:g} to {self.most:g}")
        return value

    def draw(self, random: Random) -> Value:
        """Return any value that is searched, small numbers more often than large ones."""
        if self.choices:
            return random.choice(self.choices)
        return self._at(random.uniform(0.0, self._extent))

    def step(self, random: Random, value: Value) -> Value:
        """Return a value near to this one."""
        if isinstance(value, str):
            return random.choice(self.choices)
        low, _ = self._range
        place = log(max(0.0, value - low) / self._unit + 1)
        place += random.gauss(0.0, STEP) * self._extent
        return self._at(min(max(place, 0.0), self._extent))

    @property
    def _range(self) -> tuple[float, float]:
        return self.searched or (self.least, self.most)

    @property
    def _unit(self) -> float:
        low, high = self._range
        return 1.0 if self.whole else (high - low) * FINEST

    @property
    def _extent(self) -> float:
        low, high = self._range
        return log((high - low) / self._unit + 1)

    def _at(self, place: float) -> Value:
        low, high = self._range
        value = min(high, low + (exp(place) - 1) * self._unit)
        # Three digits: nobody writes more, and no machine's last bit is in them.
        return round(value) if self.whole else float(f"{value:.3g}")


def read_settings(flag: str, settings: Sequence[Setting], texts: Sequence[str]) -> Values:
    """Read `NAME=VALUE` texts. `ConfigError` lists all that are wrong."""
    known = {setting.name: setting for setting in settings}
    values: dict[str, Value] = {}
    problems = []
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            if name not in known:
                raise ValueError(f"{name!r} is none of {', '.join(known)}")
            values[name] = known[name].read(value)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(f"{flag}: " + "; ".join(problems))
    return values


def describe(settings: Sequence[Setting], values: Values) -> str:
    """Return the values that differ from the defaults, for people."""
    other = [
        f"{setting.name} {_shown(values[setting.name])}"
        for setting in settings
        if setting.name in values and values[setting.name] != setting.default
    ]
    return ", ".join(other) or "defaults"


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"
