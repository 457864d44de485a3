"""One sitting: which question is next, and what becomes of an answer. Knows nothing of HTTP."""

import secrets
import time
from threading import RLock
from typing import Any

from autochrome.errors import PictureError
from autochrome.judge.contest import Contest
from autochrome.judge.pictures import Renderer
from autochrome.judge.plan import QUESTIONS, Trial
from autochrome.judge.statistics import summarize
from autochrome.judge.votes import Vote, VoteLog, now

Name = str
"""A random name of a question or a picture, new in every sitting: what the page may know."""


class Session:
    """Asks the questions of a contest that have no vote yet. Threads may share it."""

    def __init__(self, contest: Contest, log: VoteLog) -> None:
        self.failed: list[tuple[str, str]] = []
        """Pictures that could not be asked about: (name, reason)."""
        self._contest = contest
        self._log = log
        self._renderer = Renderer(contest)
        self._lock = RLock()
        self._plan = contest.plan()
        self._unusable: set[Trial] = set()
        self._trials = {trial: secrets.token_urlsafe(12) for trial in self._plan}
        self._pictures: dict[Name, tuple[Trial, str]] = {}
        self._sides: dict[tuple[Trial, str], Name] = {}
        for trial in self._plan:
            for side in ("left", "right"):
                name = secrets.token_urlsafe(12)
                self._pictures[name] = (trial, side)
                self._sides[trial, side] = name
        self._asked: Trial | None = None
        self._asked_at = 0.0

    def state(self) -> dict[str, Any]:
        """What the page shows: question, hint, num_answered, num_questions, can_undo, trial and upcoming.

        `trial` is `{"id", "left", "right", "width", "height"}` with random names of its pictures, or None at the end;
        `upcoming` names the pictures of the next question, to be loaded in advance.
        """
        with self._lock:
            trial = self._current()
            answered = {vote.key for vote in self._log.votes}
            num_questions = len(self._plan) - len(self._unusable)
            question, hint = QUESTIONS[self._contest.study.question]
            state: dict[str, Any] = {
                "question": question,
                "hint": hint,
                "num_answered": sum(trial.key in answered for trial in self._plan),
                "num_questions": num_questions,
                "can_undo": bool(self._log.votes),
                "trial": None,
                "upcoming": [],
            }
            if trial is not None:
                showing = self._renderer.show(trial)
                state["trial"] = {
                    "id": self._trials[trial],
                    **{side: self._sides[trial, side] for side in ("left", "right")},
                    "width": showing.width,
                    "height": showing.height,
                }
                following = next((other for other in self._open_trials() if other != trial), None)
                if following is not None:
                    state["upcoming"] = [self._sides[following, side] for side in ("left", "right")]
            return state

    def vote(self, trial_id: Name, choice: str) -> bool:
        """Keep the answer to the question that is being asked; False when that is another one by now.

        Raises:
            DataError: the vote could not be written; the question stays.
        """
        with self._lock:
            trial = self._current()
            if trial is None or self._trials[trial] != trial_id:
                return False
            seconds = round(time.monotonic() - self._asked_at, 2)
            self._log.append(Vote(trial.picture, trial.left, trial.right, choice, seconds, now()))
            return True

    def undo(self) -> bool:
        """Take the last answer back, so that its question is asked again. Raises DataError as `vote` does."""
        with self._lock:
            return self._log.undo() is not None

    def picture(self, name: Name) -> bytes | None:
        """The PNG that the page knows by this name, or None."""
        if name not in self._pictures:
            return None
        trial, side = self._pictures[name]
        try:
            showing = self._renderer.show(trial)
        except PictureError:
            return None  # the question will not be asked; `state` says why
        return showing.left if side == "left" else showing.right

    def results(self) -> dict[str, Any]:
        """What the votes say so far."""
        with self._lock:
            return summarize(self._contest.study, self._log.votes)

    def _open_trials(self) -> list[Trial]:
        answered = {vote.key for vote in self._log.votes}
        return [trial for trial in self._plan if trial.key not in answered and trial not in self._unusable]

    def _current(self) -> Trial | None:
        """The first question without an answer whose pictures can be shown."""
        for trial in self._open_trials():
            try:
                self._renderer.show(trial)
            except PictureError as error:
                self._unusable.add(trial)
                self.failed.append((trial.picture, str(error)))
                continue
            if trial != self._asked:
                self._asked, self._asked_at = trial, time.monotonic()
            return trial
        self._asked = None
        return None
