"""Which downloads give way to others: those that stand still, the dearest first. Pure: `now` is an argument."""

from collections.abc import Iterable

from crawler.fetcher.transport.share import Share

__all__ = ["for_bytes", "standing_still"]


def standing_still(shares: Iterable[Share], now: float, most_patient: int, most_patient_bytes: int) -> list[Share]:
    """Return the downloads that stand still and may give way.

    Of patient ones, those beyond so many, or so many bytes, may as well, and all that wait for room.
    """
    patient, patient_bytes = 0, 0
    found = []
    for share in shares:
        if not share.stands_still(now) or share.leaves or share.give_way is None:
            continue
        if share.patient and share.line is None:
            patient += 1
            patient_bytes += share.held
            if patient <= most_patient and patient_bytes <= most_patient_bytes:
                continue
        found.append(share)
    return found


def for_bytes(still: list[Share], wanted: int, now: float) -> list[Share]:
    """Return those that give way for so many bytes: none that waits itself, first who holds the most for longest."""
    found = []
    for share in sorted(still, key=lambda share: -share.held * share.still_s(now)):
        if wanted <= 0 or not share.held:
            break
        if share.line is None:
            wanted -= share.held
            found.append(share)
    return found
