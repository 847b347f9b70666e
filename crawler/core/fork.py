"""What a child made by fork must not use of its parent: a fork copies the memory, and of the threads one."""

import os

__all__ = ["Birth"]


class Birth:
    """The process in which something was made; a child has a copy of it that does not work there."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is still that process."""
        return os.getpid() == self.pid
