"""Keeps what goes wrong in an adapter away from the training."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, Set, TypeVar

from trainwatch.internal.log import log

_Function = TypeVar("_Function", bound=Callable[..., Any])

_blamed: Set[str] = set()


def harmless(function: _Function) -> _Function:
    """Wraps a function of an adapter: an exception in it is logged once, and the training goes on."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Optional[Any]:
        try:
            return function(*args, **kwargs)
        except Exception:
            if function.__qualname__ not in _blamed:
                _blamed.add(function.__qualname__)
                log.exception("%s failed; the training goes on without it", function.__qualname__)
            return None

    return call  # type: ignore[return-value]
