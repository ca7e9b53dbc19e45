"""Tell people what the audit trail says, over one channel."""

from dataclasses import dataclass

from chalicelib.domain.audit import AuditEntry
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import Rung
from chalicelib.ports import Channel, Undeliverable


@dataclass(frozen=True, kw_only=True)
class Notified:
    """What came of one audit entry."""

    notice: Notice | None = None
    #: Why the channel will never take it; it was told over the other one instead.
    undeliverable: str | None = None


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Deliver an audit entry's notice, if it has one; at least once, under one dedup key.

    Raises `TryAgain` where the channel is away: the entry is delivered again. Where the channel
    refuses for good, `fallback` is told, with what was to be said.
    """

    channel: Channel
    fallback: Channel | None = None
    #: Deliver only what is worth waking somebody for.
    loud_only: bool = False

    def __call__(self, entry: AuditEntry) -> Notified:
        notice = notice_of(entry)
        if notice is None or (self.loud_only and not notice.wakes_somebody):
            return Notified()
        try:
            self.channel.deliver(notice)
        except Undeliverable as refused:
            if self.fallback:
                self.fallback.deliver(_about_the_channel(notice, refused))
            return Notified(notice=notice, undeliverable=refused.detail)
        return Notified(notice=notice)


def _about_the_channel(notice: Notice, refused: Undeliverable) -> Notice:
    return Notice(
        dedup_key="hoist-channel-refuses",
        rung=Rung.SEV3,
        resolves=False,
        title=f"Notices do not arrive: {refused.detail}",
        text=f"Nobody reads them there until this is mended. This one was: {notice.title}. "
        f"{notice.text}",
        promotion_id=notice.promotion_id,
        runbook="notices-do-not-arrive",
    )
