"""When what happens in a run: phases, learning rates, snapshots. Steps count from 0."""

import math
from bisect import bisect_right
from itertools import accumulate

from training.config import Phase, TrainConfig

_MAX_SNAPSHOTS = 20
_DISCRIMINATOR_FACTOR = 5.0
"""DeOldify's critic learns five times as fast as its generator."""


class Schedule:
    """Which phase a step belongs to, and its learning rates.

    Attributes:
        ends: the step at which each phase is over.
        num_steps: steps in all.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.phases = config.phases
        self.batch_size = config.batch_size
        self.warmup_steps = config.warmup_steps
        lengths = [max(1, round(phase.num_kimg * 1000 / config.batch_size)) for phase in config.phases]
        self.ends = list(accumulate(lengths))
        self.begins = [0, *self.ends[:-1]]
        self.num_steps = self.ends[-1]

    def index(self, step: int) -> int:
        """The phase's place in the recipe."""
        return bisect_right(self.ends, step)

    def phase(self, step: int) -> Phase:
        """The phase of a step."""
        return self.phases[self.index(step)]

    def learning_rate(self, step: int) -> float:
        """Cosine from the phase's first to its final value (Loshchilov and Hutter 2017), after a linear warm-up."""
        index = self.index(step)
        progress = (step - self.begins[index]) / (self.ends[index] - self.begins[index])
        phase = self.phases[index]
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        rate = phase.final_learning_rate + (phase.learning_rate - phase.final_learning_rate) * cosine
        return rate * min(1.0, (step + 1) / max(1, self.warmup_steps))

    def discriminator_learning_rate(self, step: int) -> float:
        """The phase's own where the discriminator learns alone, else in a fixed proportion to the generator's."""
        phase, rate = self.phase(step), self.learning_rate(step)
        if phase.stage == "discriminator":
            return rate
        if phase.discriminator_learning_rate is None:
            return rate * _DISCRIMINATOR_FACTOR
        return rate * phase.discriminator_learning_rate / phase.learning_rate

    def adversary_enters(self, step: int) -> bool:
        """Whether an adversarial stretch begins here."""
        index = self.index(step)
        adversarial = [phase.stage == "adversarial" for phase in self.phases]
        return step == self.begins[index] and adversarial[index] and not (index and adversarial[index - 1])

    def snapshot_steps(self, every_kimg: float | None, num_photos: int) -> list[int]:
        """After how many steps the averaged weights are kept; empty for a run that does not end adversarially.

        The first is where the first adversarial phase begins: the generator stage's own. `every_kimg` None is 0.1 % of
        `num_photos`, or as often as gives 20 in all.
        """
        stretches = [
            range(begin, end)
            for begin, end, phase in zip(self.begins, self.ends, self.phases, strict=True)
            if phase.stage == "adversarial"
        ]
        if not stretches or stretches[-1].stop != self.num_steps:
            return []
        if every_kimg is None:
            num_pictures = sum(map(len, stretches)) * self.batch_size
            every_kimg = max(0.001 * num_photos, num_pictures / _MAX_SNAPSHOTS) / 1000
        interval = max(1, round(every_kimg * 1000 / self.batch_size))
        steps = {stretches[0].start, self.num_steps}
        for stretch in stretches:
            steps.update(range(stretch.start + interval, stretch.stop + 1, interval))
        return sorted(steps)
