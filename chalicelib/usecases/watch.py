"""Find what does not move, and wake it."""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.errors import TryAgain
from chalicelib.ports import Clock, PromotionStore, TargetLocks, Wakes


@dataclass(frozen=True, kw_only=True)
class WatchReport:
    """What one sweep saw and did."""

    #: Promotions in `deploying`.
    deploying: int
    woken: tuple[str, ...]
    #: Targets whose wake could not be queued; the next sweep tries them again.
    unreached: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Wake every target with a `deploying` promotion that nobody works on; safe to repeat.

    Costs what the open promotions cost, however many have settled. A target that cannot be
    woken does not keep the others from it.
    """

    store: PromotionStore
    locks: TargetLocks
    wakes: Wakes
    clock: Clock

    def __call__(self) -> WatchReport:
        deploying = self.store.all_deploying()
        due = self._due({promotion.target for promotion in deploying})
        unreached = tuple(target for target in due if not self._woken(target))
        return WatchReport(
            deploying=len(deploying),
            woken=tuple(target for target in due if target not in unreached),
            unreached=unreached,
        )

    def _due(self, targets: Iterable[str]) -> list[str]:
        now = self.clock.now()
        locks = self.locks.get_all(targets)
        return sorted(target for target, lock in locks.items() if lock.due(now))

    def _woken(self, target: str) -> bool:
        try:
            self.wakes.send(target)
        except TryAgain:
            return False
        return True
