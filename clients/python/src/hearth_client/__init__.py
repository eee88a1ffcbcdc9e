"""A client of Hearth: watch a generation from anywhere in it, through any number of cuts."""

from hearth_client.answers import Choice, Snapshot, Started, Stopped
from hearth_client.asyncio import AsyncHearth, Lane, Socket
from hearth_client.backoff import Patience
from hearth_client.errors import HearthError
from hearth_client.events import Accepted, Delta, End, Event, LogLine, Note, Opened, Other, Output, Progress
from hearth_client.sync import Hearth

__all__ = [
    "Accepted",
    "AsyncHearth",
    "Choice",
    "Delta",
    "End",
    "Event",
    "Hearth",
    "HearthError",
    "Lane",
    "LogLine",
    "Note",
    "Opened",
    "Other",
    "Output",
    "Patience",
    "Progress",
    "Snapshot",
    "Socket",
    "Started",
    "Stopped",
]
