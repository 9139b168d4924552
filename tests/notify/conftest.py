import io
import logging
from collections.abc import Iterator

import pytest

from tests.notify import servers
from tests.notify.servers import Hook, Mail


@pytest.fixture
def heard() -> Iterator[io.StringIO]:
    """What the log of a night would hold; pytest's own fixture also hears loggers that pass nothing on."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    handler.addFilter(lambda record: not record.name.startswith("mail.log"))  # the mail server's own
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def mail() -> Iterator[Mail]:
    with servers.mail_server() as found:
        yield found


@pytest.fixture
def hook() -> Iterator[Hook]:
    with servers.hook_server() as found:
        yield found
