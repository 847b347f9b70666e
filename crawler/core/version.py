"""The version of the package, written down here alone: pyproject.toml and `crawler.__version__` read it from here."""

__all__ = ["__version__"]

__version__ = "0.1.0"
