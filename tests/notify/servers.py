"""Real servers on loopback that messages are sent to: mail and a webhook."""

import email.policy
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests import postgres


@dataclass
class Mail:
    """A running mail server."""

    port: int
    received: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    refuse: bool = False
    users: list[tuple[str, str]] = field(default_factory=list)
    """User and password of each login."""

    def url(self, to: str = "desk@example.org") -> str:
        return f"mailto://127.0.0.1:{self.port}/{to}?from=vanwatch@example.org"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse:
            return "554 not tonight"
        content = envelope.original_content or b""
        self.received.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        self.to += envelope.rcpt_tos
        return "250 OK"

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if isinstance(data, LoginPassword):
            self.users.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)


@contextmanager
def mail_server() -> Iterator[Mail]:
    mail = Mail(postgres.free_port())
    logging.getLogger("mail.log").propagate = False  # this server's own words, with addresses, are not ours
    controller = Controller(
        mail, hostname="127.0.0.1", port=mail.port, authenticator=mail.login, auth_require_tls=False, ready_timeout=60
    )
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()


@dataclass
class Hook:
    """A running webhook."""

    port: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    wait_s: float = 0.0

    def url(self, path: str = "hook", user: str = "") -> str:
        return f"json://{user}127.0.0.1:{self.port}/{path}"

    async def take(self, request: Request) -> Response:
        body = json.loads(await request.body())
        time.sleep(self.wait_s)
        if self.status < 300:
            self.received.append(body)
        self.paths.append(request.url.path)
        return Response(status_code=self.status)


@contextmanager
def hook_server() -> Iterator[Hook]:
    hook = Hook()
    app = Starlette(routes=[Route("/{path:path}", hook.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    hook.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.should_exit = True
        thread.join(20)
