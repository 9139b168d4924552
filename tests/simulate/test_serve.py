import json
import socket
from datetime import date
from pathlib import Path

import pystac_client
import pytest
import rasterio

from pipeline.errors import CatalogError
from pipeline.simulate import scenes, serve


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    return scenes.build(folder, seed=7, start=date(2022, 10, 18), preset="tiny", nights=2, workers=2).items


def test_serve_real_client_pages_through_all_items_and_reads_a_file(items):
    known = {feature["id"] for feature in json.loads(items.read_text())["features"]}
    with serve.serve(items) as url:
        client = pystac_client.Client.open(url)
        found = list(client.search(collections=["sentinel-2-l2a"], limit=3).items())
        some = list(client.search(collections=["sentinel-2-l2a"], datetime="2022-10-01/2022-12-31").items())
    assert {item.id for item in found} == known
    assert len(found) == len(known)
    assert 0 < len(some) < len(known)
    with rasterio.open(found[0].assets["red"].href) as file:
        assert file.count == 1


def test_serve_folder_and_base_url_in_front_of_the_hrefs(items):
    with serve.serve(items.parent, base="http://127.0.0.1:9/files/") as url:
        item = next(pystac_client.Client.open(url).search(collections=["sentinel-2-l2a"]).items())
    assert item.assets["red"].href == f"http://127.0.0.1:9/files/scenes/{item.id}/B04.tif"


def test_serve_ends_with_the_block_even_on_errors(items):
    urls = []

    def fail_inside() -> None:
        with serve.serve(items) as url:
            urls.append(url)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    port = int(urls[0].rsplit(":", 1)[1])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_serve_taken_port_says_so(items):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(CatalogError, match=f"{port}: the STAC server did not start"), serve.serve(items, port=port):
            pass


def test_serve_missing_archive_says_what_to_do(tmp_path):
    with pytest.raises(CatalogError, match="simulate it again"), serve.serve(tmp_path):
        pass
