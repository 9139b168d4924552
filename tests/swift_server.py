"""OpenStack Swift with its S3 interface, all four servers in one process.

Run as `/usr/bin/python3 tests/swift_server.py FOLDER`: under Debian's Python, where python3-swift is installed.
In: an empty folder on a file system with extended attributes. Out: `ready` and a port of loopback on standard output,
then requests are answered there until the process is ended. Imports nothing of this project.
"""

import os
import sys
from pathlib import Path
from typing import Any

import eventlet

eventlet.monkey_patch()
import eventlet.wsgi  # noqa: E402
from swift.account.server import AccountController  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.storage_policy import reload_storage_policies  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402
from swift.container.server import ContainerController  # noqa: E402
from swift.obj.server import ObjectController  # noqa: E402

KEY, SECRET = "vanwatch:tests", "only-on-loopback"
PROXY = f"""
[DEFAULT]
swift_dir = FOLDER
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api tempauth slo proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_{KEY.replace(":", "_")} = {SECRET} .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
force_swift_request_proxy_log = false
"""
PROXY += "".join(
    f"[filter:{name}]\nuse = egg:swift#{name.replace('-', '_')}\n"
    for name in ("catch_errors", "gatekeeper", "listing_formats", "bulk", "slo", "proxy-logging")
)


class Cache:
    """What Swift asks of memcached, for one process."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def set(self, key: str, value: Any, **_: Any) -> None:
        self._kept[key] = value

    def get(self, key: str, **_: Any) -> Any:
        return self._kept.get(key)

    def delete(self, key: str, **_: Any) -> None:
        self._kept.pop(key, None)

    def incr(self, key: str, delta: int = 1, **_: Any) -> int:
        self._kept[key] = self._kept.get(key, 0) + delta
        return int(self._kept[key])


def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "disk" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    (folder / "proxy.conf").write_text(PROXY.replace("FOLDER", str(folder)))
    utils.set_swift_dir(str(folder))
    reload_storage_policies()
    keep = {"devices": str(folder / "disk"), "swift_dir": str(folder), "mount_check": "false", "disable_fallocate": "1"}
    kinds = {"account": AccountController, "container": ContainerController, "object": ObjectController}
    quiet = utils.get_logger({"log_level": "CRITICAL"}, name="swift")
    for name, controller in kinds.items():
        listener = eventlet.listen(("127.0.0.1", 0))
        ring(folder / f"{name}.ring.gz", listener.getsockname()[1])
        eventlet.spawn(serve, listener, controller(keep, logger=quiet), quiet)
    app, cache = loadapp(str(folder / "proxy.conf")), Cache()

    def proxy(env: dict[str, Any], start: Any) -> Any:
        env["swift.cache"] = cache
        return app(env, start)

    listener = eventlet.listen(("127.0.0.1", 0))
    print("ready", listener.getsockname()[1], flush=True)
    serve(listener, proxy, quiet)


def serve(listener: Any, app: Any, logger: Any) -> None:
    eventlet.wsgi.server(listener, app, log=utils.NullLogger(), protocol=SwiftHttpProtocol, debug=False)


def ring(path: Path, port: int) -> None:
    """One copy of everything on the one device."""
    builder = RingBuilder(1, 1, 1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "device": "d1"})
    builder.rebalance()
    builder.get_ring().save(str(path))


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    main()
