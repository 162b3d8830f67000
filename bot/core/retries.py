"""When a process tries again a kick that failed for a reason that nobody expected."""

from dataclasses import dataclass, field

from bot.core.kick import KickId

# After its failures at a kick, a process waits 2 s, 4 s, 8 s and 16 s. Then it does not try again,
# but ends the kick with what is known.
MAX_FAILURES = 4
FIRST_PAUSE = 2.0  # seconds


@dataclass(slots=True)
class _Failures:
    count: int = 0
    again_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often this process failed at each kick, in a row. `now` is by the monotonic clock."""

    _kicks: dict[KickId, _Failures] = field(init=False, default_factory=dict)

    def count(self, kick: KickId, now: float) -> int:
        """Count a failure, and return how many there were. A pause begins now."""
        failures = self._kicks.setdefault(kick, _Failures())
        failures.count += 1
        failures.again_at = now + FIRST_PAUSE * 2 ** (min(failures.count, MAX_FAILURES) - 1)
        return failures.count

    def forget(self, kick: KickId) -> None:
        """Forget the failures of a kick that succeeded."""
        self._kicks.pop(kick, None)

    def is_paused(self, kick: KickId, now: float) -> bool:
        """Tell whether the pause after the last failure still lasts."""
        return kick in self._kicks and now < self._kicks[kick].again_at

    def gives_up(self, kick: KickId) -> bool:
        """Tell whether the process failed too often."""
        return self._kicks.get(kick, _Failures()).count >= MAX_FAILURES
