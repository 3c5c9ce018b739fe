"""A seller on loopback, and what it is asked."""

from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from providers.asking import Ask

_SPEC = spec_from_file_location("loopback_server", Path(__file__).with_name("loopback_server.py"))
loopback = module_from_spec(_SPEC)
_SPEC.loader.exec_module(loopback)


@pytest.fixture
def serve():
    """Give what runs a server that answers requests in turn, the last answer again and again, or as a function says."""
    with ExitStack() as stack:

        def start(*answers):
            replies = list(answers)
            said = (lambda _asked: replies.pop(0) if len(replies) > 1 else replies[0]) if replies else None
            reply = answers[0] if callable(answers[0]) else said
            return stack.enter_context(loopback.answering(reply))

        yield start


@pytest.fixture
def ask():
    """Give what makes an Ask of a feed at an address."""

    def make(feed, url, **more):
        return Ask(now=datetime(2026, 11, 20, tzinfo=UTC), urls={feed: url}, **more)

    return make
