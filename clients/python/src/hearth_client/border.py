"""Where the libraries' exceptions become ours, in one place for both sides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from hearth_client.errors import HearthError
from hearth_client.wire import refusal


@contextmanager
def border() -> Iterator[None]:
    """Translate what httpx and websockets raise."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise HearthError("unreachable", str(error), retry=True) from error
    except httpx.ReadTimeout as error:
        raise HearthError("silent", "nothing arrived for too long", retry=True) from error
    except httpx.TransportError as error:
        raise HearthError("connection_lost", str(error) or type(error).__name__, retry=True) from error
    except InvalidStatus as error:
        answer = error.response
        raise refusal(answer.status_code, answer.headers, bytes(answer.body or b"")) from error
    except InvalidHandshake as error:
        raise HearthError("unreachable", str(error), retry=True) from error
    except ConnectionClosed as error:
        raise _farewell(error) from error
    except WebSocketException as error:
        raise HearthError("connection_lost", str(error), retry=True) from error
    except OSError as error:
        # TimeoutError among them: websockets' opening handshake raises it.
        raise HearthError("unreachable", str(error) or type(error).__name__, retry=True) from error


def _farewell(error: ConnectionClosed) -> HearthError:
    close = error.rcvd
    if close is not None and 4400 <= close.code < 4500:
        # Our own fault: the same frames would be refused again.
        return HearthError(close.reason or "bad_frame", str(error))
    return HearthError("connection_lost", str(error), retry=True)
