"""Which downloads give way to others: those that do not grow, the dearest first. Pure: `now` is an argument."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from crawler.fetcher.transport.share import Share

__all__ = ["not_growing", "room_for", "seats"]


_PATIENT_PART: Final = 4


def not_growing(shares: Iterable[Share], parts: Sequence[int], now: float) -> list[Share]:
    """Return the downloads, of these from the oldest on, that do not grow and may give way.

    Those that wait for more go on as long as they have `seats`, or there is but one. Of the others patient ones do not
    give way, as long as these hold no more than a quarter of all.
    """
    patient_left = max(sum(parts) // _PATIENT_PART, 1)  # one beyond the last step counts as a byte
    seated: Counter[tuple[int, bool]] = Counter()
    found = []
    for share in shares:
        still = share.stands_still(now)
        if not share.held:
            continue
        if share.line is not None:
            still = still or share.stranger
            place = (step := share.step, share.stranger)
            if not seated[place] or seated[place] + share.held <= seats(parts[step], share):
                seated[place] += share.held
                continue
        elif share.patient and share.held <= patient_left:
            patient_left -= share.held
            continue
        if still and not share.leaves and share.give_way is not None:
            found.append(share)
    return found


def seats(part: int, share: Share) -> int:
    """Return how many bytes those that wait may hold of the part of their step: half of it, strangers less."""
    return part // (2 if not share.stranger else 4 if share.patient else 8)


def room_for(wanted: int, still: Sequence[Share], now: float) -> list[Share]:
    """Return those of the downloads, oldest first, that give way for so many bytes.

    Those that wait go last, the youngest of them first; the others by their bytes times the seconds they have stood.
    """
    stalled = sorted((one for one in still if one.line is None), key=lambda one: -one.held * one.still_s(now))
    found = []
    for share in (*stalled, *(one for one in reversed(still) if one.line is not None)):
        if wanted <= 0:
            break
        wanted -= share.held
        found.append(share)
    return found
