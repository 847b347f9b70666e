"""How many tasks are handed out, by what they count for."""

__all__ = ["Out"]


class Out:
    """Counts tasks that are handed out by keys: of sites, of groups, of whatever has a limit. Owned by what asks.

    State: the keys for which each task counts, and the sum for each key; a key without a task takes no memory.
    """

    def __init__(self) -> None:
        self._of_task: dict[bytes, tuple[bytes, ...]] = {}
        self._tasks: dict[bytes, int] = {}

    def count(self, key: bytes) -> int:
        """Return how many tasks are handed out that count for a key."""
        return self._tasks.get(key, 0)

    def add(self, task: bytes, *keys: bytes) -> None:
        """Count a task, by its own key, for some keys."""
        self._of_task[task] = keys
        for key in keys:
            self._tasks[key] = self._tasks.get(key, 0) + 1

    def remove(self, task: bytes) -> tuple[bytes, ...]:
        """Count a task no more; return the keys for which it did, none if it was not counted."""
        keys = self._of_task.pop(task, ())
        for key in keys:
            left = self._tasks[key] - 1
            if left:
                self._tasks[key] = left
            else:
                del self._tasks[key]
        return keys
