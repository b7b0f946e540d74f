"""The device is chosen before the work, and said."""

import os

import pytest
import torch

from khmer_aligned import device
from khmer_aligned.device import choose_device, describe_device, pick_device, why_no_gpu
from khmer_aligned.errors import UserError

TOO_OLD = (
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
    "driver by downloading and installing a new version from the URL: http://www.nvidia.com"
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Counts of other tests are forgotten, and the environment comes back."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    device._count_gpus.cache_clear()
    yield
    device._count_gpus.cache_clear()


@pytest.fixture
def gpus(monkeypatch):
    """`gpus(names)`: a machine with these GPUs, as torch would show them."""

    def pretend(names):
        def visible():
            chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
            if chosen is None:
                return names
            return [names[int(k)] for k in chosen.split(",") if k and int(k) < len(names)]

        device._count_gpus.cache_clear()
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(visible()))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(visible()))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: visible()[index])

    return pretend


def test_without_a_gpu_torch_says_why():
    assert describe_device() == f"CPU ({why_no_gpu()})"
    assert "http" not in why_no_gpu()
    assert pick_device() == torch.device("cpu")


def test_a_driver_that_is_too_old_is_the_reason(monkeypatch):
    def init():
        raise RuntimeError(TOO_OLD)

    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # the driver knows its GPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    reason = "The NVIDIA driver on your system is too old (found version 11040)"
    assert describe_device() == f"CPU ({reason})"
    with pytest.raises(UserError, match=r"--device cuda: The NVIDIA driver .* too old"):
        choose_device("cuda")


def test_gpus_are_said_by_name(gpus):
    gpus(["H100"])
    assert describe_device() == "GPU: H100"
    gpus(["H100", "H100", "A10"])
    assert describe_device() == "3 GPUs: A10, H100"


def test_a_choice_is_all_that_torch_sees(gpus, monkeypatch):
    gpus(["H100", "A10", "L4"])
    choose_device("cuda:1")
    assert describe_device("cuda:1") == "GPU: A10"
    gpus(["H100", "A10", "L4"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    choose_device("cuda:1")
    assert describe_device("cuda:1") == "GPU: L4"
    choose_device("cpu")
    assert describe_device("cpu") == "CPU (chosen)"
    assert pick_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "cuda:x", "mps"])
def test_a_device_that_is_none_is_refused(name):
    with pytest.raises(UserError, match="give cpu, cuda or cuda:N"):
        choose_device(name)


def test_a_gpu_that_is_not_there_is_refused(gpus, monkeypatch):
    gpus(["H100"])
    with pytest.raises(UserError, match="--device cuda:3"):
        choose_device("cuda:3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UserError, match="--device cuda:1: CUDA_VISIBLE_DEVICES is 0"):
        choose_device("cuda:1")
