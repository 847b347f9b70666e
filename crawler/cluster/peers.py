"""Calls from actor to actor, through Ray, from any event loop."""

import asyncio
from types import ModuleType
from typing import Any

__all__ = ["Peers"]


class Peers:
    """Calls the actors of one job by their names: `await peers.call("coordinator", "report", raw)`.

    `patience_s` is how long an answer may take. State, of one event loop's thread: handles of those called before.
    """

    def __init__(self, ray: ModuleType, namespace: str, patience_s: float) -> None:
        self._ray = ray
        self._namespace = namespace
        self._patience_s = patience_s
        self._handles: dict[str, Any] = {}

    async def call(self, name: str, method: str, raw: bytes) -> bytes:
        """Call a method with bytes. Raises ConnectionError if the actor is gone or does not answer in time."""
        errors = self._ray.exceptions
        try:
            handle = self._handles.get(name)
            if handle is None:
                handle = await asyncio.to_thread(self._ray.get_actor, name, namespace=self._namespace)
                self._handles[name] = handle
            future = getattr(handle, method).remote(raw).future()
            answer: bytes = await asyncio.wait_for(asyncio.wrap_future(future), self._patience_s)
        except TimeoutError:
            raise ConnectionError(f"{name} does not answer") from None
        except errors.RayTaskError as error:
            raise ConnectionError(f"{name} could not do it: {error.cause!r}") from error
        except (errors.RayError, ValueError, OSError) as error:
            self._handles.pop(name, None)
            raise ConnectionError(f"{name} is gone: {type(error).__name__}") from error
        else:
            return answer

    def forget(self, names: set[str]) -> None:
        """Keep handles of these actors alone: others are gone for good."""
        self._handles = {name: handle for name, handle in self._handles.items() if name in names}
