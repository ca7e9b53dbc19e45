"""Read what stands between a promotion and its beginning."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.promotion import Promotion
from chalicelib.domain.waiting import Gate
from chalicelib.ports import Freezes, Targets


@dataclass(frozen=True, kw_only=True)
class Gates:
    """The target's policy and freezes, as they bear on one promotion at one time."""

    targets: Targets
    freezes: Freezes

    def __call__(self, promotion: Promotion, *, at: datetime) -> Gate:
        hold = self.freezes.get().hold(promotion.target, at)
        return Gate(target=self.targets.get(promotion.target), hold=hold, at=at)
