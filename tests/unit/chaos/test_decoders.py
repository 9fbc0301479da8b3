"""What reads bytes of others, given some that nobody should send. `make fuzz` gives far more."""

from pathlib import Path

import pytest
from tests.chaos.decoders import DECODERS, Decoder
from tests.chaos.fuzz import decode
from tests.chaos.hostile import Hostile
from tests.chaos.trial import Bound, Trial

each = pytest.mark.parametrize(
    "decoder", DECODERS, ids=[f"{number}-{item.name}" for number, item in enumerate(DECODERS)]
)


@pytest.fixture
def made(tmp_path: Path) -> Trial:
    return Trial("fuzz", 1, Bound(rounds=1), tmp_path, alone=True)


@each
def test_what_is_damaged_was_good_before(decoder: Decoder) -> None:
    assert [sample for sample in decoder.samples if not decoder.read(sample)] == []


@each
def test_damaged_inputs_are_read_or_refused(decoder: Decoder, made: Trial) -> None:
    decode(made, decoder, Hostile(1), 300)

    assert made.complaints == []


@each
def test_the_same_seed_throws_the_same(decoder: Decoder) -> None:
    first, again = Hostile(3), Hostile(3)

    assert [decoder.throw(first) for _ in range(300)] == [decoder.throw(again) for _ in range(300)]


@each
def test_good_and_bad_inputs_are_thrown(decoder: Decoder) -> None:
    hostile = Hostile(2)

    assert {decoder.read(decoder.throw(hostile)) for _ in range(300)} == {True, False}


def test_a_decoder_that_raises_what_nobody_expects_is_complained_of(made: Trial) -> None:
    broken = Decoder("frames", lambda hostile: b"x", lambda data: bool(int(data)), [])

    decode(made, broken, Hostile(1), 2)

    assert made.thrown == {"frames": 2}
    assert "frames: b'x'" in made.complaints[0]
    assert "ValueError" in made.complaints[0]
