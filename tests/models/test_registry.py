import subprocess
import sys

import pytest
import torch

from models import registry


def test_build_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match="siamese, fc-siam-diff"):
        registry.build("siames", {})


def test_build_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="depth"):
        registry.build("siamese", {"depth": 3})


def test_build_parameter_that_torch_refuses_is_told_as_one() -> None:
    with pytest.raises(ValueError, match=r"'siamese' does not take these parameters: .*-8"):
        registry.build("siamese", {"width": -8})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torchgeo's own imports warn
@pytest.mark.parametrize("name", ["fc-siam-diff", "fc-siam-conc", "changestar", "changevit"])
def test_build_torchgeo_network_answers_like_ours(name: str) -> None:
    network = registry.build(name, {"in_channels": 8, "kinds": 3}).eval()
    dates = torch.zeros(2, 1, 8, 64, 64)
    with torch.inference_mode():
        assert network(*dates).shape == (1, 3, 64, 64)


def test_registry_import_leaves_torchgeo_out() -> None:
    code = "import sys; from models import registry; registry.build('siamese', {}); print('torchgeo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_fitting_takes_our_bands_in_our_order_and_starts_masks_at_zero() -> None:
    from models import torchgeo_networks

    bands = tuple(f"B{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, "8A", 9, 10, 11, 12))
    weight = torch.arange(13.0)[None, :, None, None].expand(2, 13, 7, 7)
    state = torchgeo_networks.fitting({"conv1.weight": weight, "fc.bias": weight}, bands, 8)
    assert list(state) == ["conv1.weight"]
    assert state["conv1.weight"][0, :, 3, 3].tolist() == [1, 2, 3, 7, 11, 12, 0, 0]
    with pytest.raises(ValueError, match="B11"):
        torchgeo_networks.fitting({"conv1.weight": weight}, bands[:11], 8)
