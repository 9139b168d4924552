"""Buckets: a depot in an object store that speaks S3.

In: a URL like `s3://bucket/prefix`. Out: a `Bucket`. Knows nothing of what is in the files.

A bucket is a value that travels to other machines: it holds no password and no open connection. The credentials are
read where it is used, from the usual AWS environment variables, or from the role of the machine where the store is
Amazon's own.
"""

import errno
import io
import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from pipeline.errors import ConfigError, StateError, WriteError

_PROBE = ".probe"
_AT_ONCE = 100
"""So many are deleted by one request: a store that deletes them one by one still answers in time."""
_MIME = {
    ".geojson": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
}
_ROLES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_WORDS = {
    "NoSuchBucket": "no such bucket",
    "InvalidAccessKeyId": "the credentials are refused",
    "SignatureDoesNotMatch": "the credentials are refused",
    "AccessDenied": "the credentials give no right to it",
    "ExpiredToken": "the credentials have expired",
}


class Kept(NamedTuple):
    """What a store tells of a file."""

    changed: datetime
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A part of a bucket of an object store that speaks S3."""

    bucket: str
    prefix: str = ""
    """Without `/` at either end."""
    endpoint: str = ""
    """URL of the store; empty for Amazon's own."""
    region: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def reading(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """See `depot.Depot`; the whole file is fetched."""
        import obstore

        with self._told(name):
            return io.BytesIO(obstore.get(self.client(), self.key(name)).bytes().to_bytes())

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """See `depot.Depot`; what is written waits in memory."""
        waiting = io.BytesIO()
        yield waiting
        self.put(name, waiting.getvalue())

    def put(self, name: str, content: bytes | Path) -> None:
        """Write a file whose bytes are at hand, or lie in a file of this machine; a browser is told its type.

        Raises:
            WriteError: the store refused; what was there before stays.
        """
        import obstore

        told: Any = {"Content-Type": _MIME.get(Path(name).suffix, "application/octet-stream")}
        with self._written(name), self._told(name):
            obstore.put(self.client(), self.key(name), content, attributes=told)

    def copy(self, name: str, to: str) -> None:
        """Copy a file within the store.

        Raises:
            WriteError: the store refused.
        """
        import obstore

        with self._written(to), self._told(name):
            obstore.copy(self.client(), self.key(name), self.key(to))

    def exists(self, name: str) -> bool:
        """See `depot.Depot`."""
        import obstore

        try:
            with self._told(name):
                obstore.head(self.client(), self.key(name))
        except FileNotFoundError:
            return False
        except OSError as err:
            why = f"not readable ({err.strerror or err}); check that the object store answers"
            raise StateError(f"{self}/{name}: {why}") from err
        return True

    def names(self) -> tuple[str, ...]:
        """See `depot.Depot`."""
        return tuple(self.listed())

    def listed(self) -> dict[str, Kept]:
        """All names, sorted, with what the store tells of each.

        The object that a console makes for an empty folder is none of its own folder's.

        Raises:
            StateError: the store does not answer, or an object has a name that no file can have.
        """
        import obstore

        with self._listing():
            found = [item for page in obstore.list(self.client(), self.prefix or None) for item in page]
        inside = f"{self.prefix}/" if self.prefix else ""
        each = {item["path"].removeprefix(inside): item for item in found if item["path"].startswith(inside)}
        return {name: Kept(item["last_modified"], item["size"]) for name, item in sorted(each.items())}

    def folders(self) -> tuple[str, ...]:
        """First parts of the names that hold a `/`, sorted; raises like `listed`."""
        import obstore

        with self._listing():
            found = obstore.list_with_delimiter(self.client(), self.prefix or None)["common_prefixes"]
        return tuple(sorted(path.rstrip("/").rpartition("/")[2] for path in found))

    def delete(self, names: Iterable[str]) -> None:
        """See `depot.Depot`."""
        import obstore

        keys = [self.key(name) for name in names]
        with self._written(""), self._told(""):
            for some in range(0, len(keys), _AT_ONCE):
                obstore.delete(self.client(), keys[some : some + _AT_ONCE])

    def below(self, name: str) -> "Bucket":
        """See `depot.Depot`."""
        return replace(self, prefix=self.key(name))

    def check(self, source: str) -> None:
        """Write, read and delete a small file, and ask the store only briefly.

        Args:
            source: where the URL stands, for the message.

        Raises:
            ConfigError: the store does not answer, there is no such bucket, or the credentials do not suffice.
        """
        import obstore

        remedy = "check its URL, AWS_ENDPOINT_URL and the AWS credentials in the environment"
        try:
            store = self.client(patient=False)
            key = self.key(f"{_PROBE}.{socket.gethostname()}.{os.getpid()}")  # workers ask all at once
            with self._told(""):
                obstore.put(store, key, b"vanwatch")
                obstore.get(store, key).bytes()
                obstore.delete(store, key)
        except OSError as err:
            where = f"{self} at {self.endpoint}" if self.endpoint else str(self)
            raise ConfigError(f"{source}: {where}: {err.strerror or err}; {remedy}") from err

    def answers(self) -> bool:
        """Whether files can be asked for with the credentials at hand; the store is asked only briefly."""
        import obstore

        try:
            with self._told(""):
                obstore.head(self.client(patient=False), self.key(_PROBE))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def key(self, name: str) -> str:
        """The name within the bucket."""
        return f"{self.prefix}/{name}".strip("/")

    def client(self, *, patient: bool = True) -> Any:
        """The library's own handle."""
        if self.endpoint and not os.environ.get("AWS_ACCESS_KEY_ID") and not any(map(os.environ.get, _ROLES)):
            raise OSError(errno.EACCES, "no credentials: AWS_ACCESS_KEY_ID is not set", str(self))
        told = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
        return _client(replace(self, prefix=""), told, patient)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """The library's errors as the system's own."""
        from obstore.exceptions import BaseError

        shown = f"{self}/{name}".rstrip("/")
        try:
            yield
        except FileNotFoundError as err:
            if "NoSuchBucket" in str(err):
                raise OSError(errno.EIO, _WORDS["NoSuchBucket"], shown) from err
            raise FileNotFoundError(errno.ENOENT, "no such file", shown) from err
        except BaseError as err:
            raise OSError(errno.EIO, _why(str(err)), shown) from err

    @contextmanager
    def _listing(self) -> Iterator[None]:
        """The library refuses a whole page of names for one with `.`, `..` or nothing between two `/`."""
        from obstore.exceptions import InvalidPathError

        try:
            with self._told(""):
                yield
        except OSError as err:
            why, remedy = err.strerror or str(err), "check that the object store answers"
            if isinstance(err.__cause__, InvalidPathError):
                odd = re.search(r'Path "(.*?)"[: ]', str(err.__cause__), re.DOTALL)
                why = f"no file can be named like its object {odd[1]!r}" if odd else why
                remedy = "delete that object or move it out of there with the store's own tools"
            raise StateError(f"{self}: cannot be listed ({why}); {remedy}") from err

    @contextmanager
    def _written(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            why = f"{f'{self}/{name}'.rstrip('/')}: cannot be written ({err.strerror or err})"
            raise WriteError(f"{why}; check that the object store answers and may be written to") from err


def parsed(url: str, *, endpoint: str = "", region: str = "") -> Bucket:
    """The bucket that a URL names.

    Args:
        url: `s3://BUCKET` or `s3://BUCKET/PREFIX`.
        endpoint: URL of the store, where `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` does not say it.
        region: where `AWS_REGION` or `AWS_DEFAULT_REGION` does not say it.

    Raises:
        ConfigError: it is none.
    """
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", url)
    if found is None:
        raise ConfigError(f"{url}: is not like s3://bucket/prefix")
    told = os.environ
    where = told.get("AWS_ENDPOINT_URL_S3") or told.get("AWS_ENDPOINT_URL") or endpoint
    if where and not re.fullmatch(r"https?://[^/]+/?", where):
        raise ConfigError(f"{where}: an object store's endpoint is like https://store.example:9000")
    zone = told.get("AWS_REGION") or told.get("AWS_DEFAULT_REGION") or region or "us-east-1"
    return Bucket(found[1], (found[2] or "").strip("/"), where.rstrip("/"), zone)


@lru_cache(maxsize=16)
def _client(place: Bucket, environment: tuple[tuple[str, str], ...], patient: bool) -> Any:
    """A handle; another one where the environment tells something else, credentials most of all."""
    from obstore.store import S3Store

    more: dict[str, Any] = {"endpoint": place.endpoint} if place.endpoint else {}
    if place.endpoint.startswith("http://"):
        more["client_options"] = {"allow_http": True}
    if not patient:
        more["retry_config"] = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
    return S3Store(place.bucket, region=place.region, **more)


def _why(text: str) -> str:
    """The store's own word for what is wrong, or else the library's first line."""
    code = re.search(r"<Code>(\w+)</Code>", text)
    if code:
        return f"{_WORDS.get(code[1], 'the store refuses')} ({code[1]})"
    if "error sending request" in text:
        return "does not answer"
    return text.strip().splitlines()[0][:200]
