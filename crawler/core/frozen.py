"""A program packed into one executable, as PyInstaller does: each process of it starts as the program itself."""

from multiprocessing import spawn

__all__ = ["serve_if_asked"]


def serve_if_asked() -> None:
    """Become a process of `multiprocessing`, and end with it, if this one was started to be one; else do nothing.

    Called when the package is imported: a program without a guard would go on to start its crawl again, and so on
    without end. PyInstaller replaces this function of `multiprocessing` by one that knows its executables.
    """
    spawn.freeze_support()
