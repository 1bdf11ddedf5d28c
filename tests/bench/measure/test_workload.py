"""What a trial trains: any model, any images, and clear refusals."""

from collections.abc import Callable
from dataclasses import make_dataclass, replace

import pytest
import torch

from bench.core.exchange.cause import Cause
from bench.core.variants import Variant
from bench.measure import workload
from bench.measure.workload import Inputs, UnsupportedError, Workload, build, setup_of
from bench.tasks.factory import ModelError, build_model
from nin.model import NiN

MakeWork = Callable[..., Workload]


def test_nin_is_built_from_the_seed() -> None:
    torch.manual_seed(4)
    expected = NiN().state_dict()
    work = build(Variant(batch_size=4), Inputs(), seed=4)

    assert all(torch.equal(expected[k], v) for k, v in work.trainer.model.state_dict().items())


def test_batches_never_end_and_are_always_whole(real_work: MakeWork) -> None:
    work = real_work(shape=(1, 8, 8), batch_size=400, model="tests_models:twice8")

    assert [400] * 5 == [len(next(work.batches)[1]) for _ in range(5)]  # 1,024 images: two an epoch


def test_torchvisions_models_take_grey_images(real_work: MakeWork) -> None:
    work = real_work(shape=(1, 64, 64), batch_size=2, model="torchvision.models:resnet18")
    work.trainer.step(*next(work.batches))

    assert work.trainer.model.fc.out_features == 10
    assert work.trainer.images == 2


@pytest.mark.parametrize(
    ("name", "channels", "told"),
    [
        ("nowhere:net", 1, "No module named 'nowhere'"),
        ("torchvision.models:nonet", 1, "no attribute 'nonet'"),
        ("torchvision.models:resnet18", 5, "takes images of 3 channels"),
        ("tests_models:no_module", 1, "must return an nn.Module, got str"),
    ],
)
def test_a_model_that_cant_be_made_is_an_error(name: str, channels: int, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        build_model(name, channels, 10)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_cuda_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="no CUDA device"):
        build(Variant(device="cuda"), Inputs(), seed=0)


def test_a_batch_larger_than_the_data_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="a batch of 4096 is more than the 2000 train images"):
        build(Variant(batch_size=4096), Inputs(), seed=0)


@pytest.mark.usefixtures("one_thread")
def test_a_setup_is_the_variants() -> None:
    variant = Variant(precision="bf16", memory_format="nhwc", sync="step", threads=2, batch_size=2, optimizer="foreach")
    work = build(variant, Inputs(), seed=0)

    assert torch.get_num_threads() == 2
    assert work.trainer.setup.precision == "bf16"
    assert work.trainer.optimizer.param_groups[0]["foreach"]
    assert work.trainer.setup.cudnn_benchmark == "off"
    assert work.eager
    assert not replace(work, variant=replace(variant, compile_mode="inductor")).eager


@pytest.mark.parametrize("value", ["off", "on"])
def test_a_setup_says_whether_cudnn_tries_its_algorithms(value: str) -> None:
    assert setup_of(Variant(device="cuda", cudnn_benchmark=value), torch.device("cuda")).cudnn_benchmark == value


def test_an_older_tree_s_setup_gets_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("device", "precision", "memory_format", "compile_mode", "optimizer", "sync")
    monkeypatch.setattr(workload, "Setup", make_dataclass("Setup", names))
    cuda = torch.device("cuda")

    assert setup_of(Variant(device="cuda", precision="bf16"), cuda).precision == "bf16"
    with pytest.raises(UnsupportedError, match="nin of this tree has no cudnn_benchmark") as caught:
        setup_of(Variant(device="cuda", cudnn_benchmark="on"), cuda)
    assert caught.value.cause is Cause.UNSUPPORTED_SETTING
