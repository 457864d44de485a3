"""Which two pictures are shown, in which order, and which of them on the left: all from one seed."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

QUESTIONS = {
    "natural": (
        "Which looks more natural?",
        "Two programs colored the same photograph. Go by your first impression; if you cannot say, skip.",
    ),
    "real": (
        "Which is the real photograph?",
        "One has the colors that the camera saw, a program colored the other. If you cannot say, guess or skip.",
    ),
}
"""What is asked, and a sentence that explains it, by the name of the question."""

_BLOCK = 10  # in every so many showings of one match, each of the two is on the left equally often


@dataclass(frozen=True)
class Trial:
    """One question: a picture (path without suffix), and whose version of it is on the left and on the right."""

    picture: str
    left: str
    right: str

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """What is asked, whichever the sides."""
        return self.picture, frozenset((self.left, self.right))


def make_plan(pictures: Iterable[str], systems: Sequence[str], reference: str | None, seed: int) -> list[Trial]:
    """All questions in the order in which they are asked; it may be broken off anywhere and stays balanced.

    Without `reference`, every pair of systems meets on every picture: in the first round each picture is shown once,
    the pairs taking turns, in the next with another pair, and so on. With it, each system meets the reference, taking
    turns, and each picture is shown once only: at a second time one would know the real one from the first.

    Sides are drawn at random in blocks of ten, so that each of a pair is on the left equally often in every block.
    """
    random_numbers = random.Random(seed)
    order = sorted(pictures)
    random_numbers.shuffle(order)
    matches = (
        list(itertools.combinations(systems, 2)) if reference is None else [(system, reference) for system in systems]
    )
    num_rounds = len(matches) if reference is None else 1
    random_numbers.shuffle(matches)
    sides = [_balanced_sides(random_numbers) for _ in matches]
    plan = []
    for number in range(num_rounds):
        for index, picture in enumerate(order):
            turn = (index + number) % len(matches)
            left, right = matches[turn] if next(sides[turn]) else reversed(matches[turn])
            plan.append(Trial(picture, left, right))
    return plan


def _balanced_sides(random_numbers: random.Random) -> Iterator[bool]:
    while True:
        block = [True, False] * (_BLOCK // 2)
        random_numbers.shuffle(block)
        yield from block
