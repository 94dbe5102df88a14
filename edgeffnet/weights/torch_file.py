"""Tensors of a torch checkpoint (`.pth`, `.pt`, `.bin`), zip or old format, without torch and without running code.

A pickle can call any function it names. This reader resolves only the handful of names a state
dict of tensors needs, each to a plain constructor here; any other name is refused.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgeffnet.errors import DataError

# First pickle of torch's pre-1.6 format.
_OLD_MAGIC = 0x1950A86A20F9469CFC6C
_ZIP_START = b"PK\x03\x04"
_MOST_DIMENSIONS, _LARGEST = 8, 1 << 40
# Tied weights share a storage; what takes less room than this is nobody's harm.
_MOST_SHARED = 4
_SMALL = 1 << 24

_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("<i1"),
    "ByteStorage": np.dtype("<u1"),
    "BoolStorage": np.dtype("?"),
}


@dataclass
class _Storage:
    """A flat buffer of a checkpoint; its bytes arrive after the pickle in the old format."""

    dtype: np.dtype[Any]
    elements: int
    data: NDArray[Any] | None = None


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, name: str) -> NDArray[Any]:
        data = self.storage.data
        if data is None:
            raise DataError(f"tensor {name} has no data in the file")
        if any(n < 0 for n in (self.offset, *self.shape, *self.strides)) or len(self.shape) != len(self.strides):
            raise DataError(f"tensor {name} is described inconsistently")
        extent = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)) if all(self.shape) else -1
        if self.offset + extent >= len(data) or math.prod(self.shape) > len(data):
            raise DataError(f"tensor {name} reaches beyond its storage")
        # Not copied: a thousand tensors on one storage must not take a thousand times its room.
        strides = [stride * data.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, strides, writeable=False)


# Instances without attributes: a pickle may set attributes of what `find_class` returns, and on a
# function of this module that would outlive the file.
class _RebuildTensor:
    __slots__ = ()

    def __call__(self, storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
        shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
        if len(shape) > _MOST_DIMENSIONS or max(int(offset), *shape, *strides, 0) > _LARGEST:
            raise DataError("a tensor has more or larger dimensions than any has; not loaded")
        return _Tensor(storage, int(offset), shape, strides)


class _NewDict:
    __slots__ = ()

    def __call__(self) -> dict[str, Any]:
        return collections.OrderedDict()


class _RebuildParameter:
    __slots__ = ()

    def __call__(self, tensor: _Tensor, *_: Any) -> _Tensor:
        return tensor


@dataclass(frozen=True)
class _StorageType:
    dtype: np.dtype[Any]


class _Unpickler(pickle._Unpickler):
    """Resolves only what a state dict needs; `storages` collects buffers by key.

    The one in Python, not in C: dictionaries take plain keys alone, for a tuple that holds another twice, and so on
    fifty times, takes years to be hashed.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _NewDict()
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _RebuildTensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _RebuildParameter()
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        asked = ascii(f"{module}.{name}")[1:-1][:100]  # a hostile name could hold anything
        raise DataError(
            f"the pickle asks for {asked}, which a checkpoint of tensors does not need; not loaded "
            "(torch.save(model.state_dict(), FILE) writes one that does not)"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and isinstance(pid[1], _StorageType)):
            raise DataError("the pickle refers to something other than a tensor storage; not loaded")
        key, elements = _key(pid[2]), int(pid[4])
        return self.storages.setdefault(key, _Storage(pid[1].dtype, elements))

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][_plain(key)] = value

    def _set_items(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][_plain(key)] = value

    def _make_dict(self) -> None:
        items = self.pop_mark()
        self.append({_plain(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    def _refuse_set(self) -> None:
        raise DataError("the pickle holds a set, which a checkpoint of tensors does not; not loaded")

    dispatch[pickle.SETITEM[0]] = _set_item
    dispatch[pickle.SETITEMS[0]] = _set_items
    dispatch[pickle.DICT[0]] = _make_dict
    dispatch[pickle.ADDITEMS[0]] = _refuse_set
    dispatch[pickle.FROZENSET[0]] = _refuse_set


def _plain(key: Any) -> Any:
    if not isinstance(key, str | bytes | int | float | None):
        raise DataError(f"the pickle has a {type(key).__name__} for a key; not loaded")
    return key


def _key(value: Any) -> str:
    """A storage's key: text, or a number in old files."""
    if not isinstance(value, str | int):
        raise DataError("the pickle names a storage by something other than text; not loaded")
    return str(value)


def _load(file: IO[bytes], storages: dict[str, _Storage]) -> Any:
    """One pickle of `file`, which is left behind it."""
    start = file.tell()
    for operation, argument, position in pickletools.genops(file):
        # The unpickler allocates room for every index below the largest one.
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > (position or 0):
            raise DataError("the pickle numbers its objects beyond their count; not loaded")
    file.seek(start)
    return _Unpickler(file, storages).load()


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The state dict in `path` as name -> array, in torch's layouts and dtypes.

    A checkpoint that wraps it under "state_dict" or "model" is unwrapped. Raises DataError for a
    truncated file, one that is no checkpoint, or one that asks for anything but tensors.
    """
    try:
        loaded = _read_zip(path) if zipfile.is_zipfile(path) else _read_old(path)
        tensors = _state_dict(loaded)
        _require_own_room(tensors)
        return {name: tensor.array(name) for name, tensor in tensors.items()}
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (pickle.UnpicklingError, EOFError, struct.error, KeyError, IndexError) as error:
        raise DataError(f"{path}: not a torch checkpoint, or truncated ({type(error).__name__})") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: damaged or truncated archive ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # a hostile pickle raises whatever its bytes lead to
        raise DataError(f"{path}: not a torch checkpoint ({type(error).__name__})") from None


def _state_dict(loaded: Any) -> dict[str, _Tensor]:
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise DataError("holds no state dict")
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, _Tensor)}
    if not tensors:
        raise DataError("holds no tensors")
    return tensors


def _require_own_room(tensors: dict[str, _Tensor]) -> None:
    """A thousand views of one large storage are no network, and would take its room a thousand times."""
    storages = {id(tensor.storage): tensor.storage for tensor in tensors.values()}
    held = sum(0 if storage.data is None else storage.data.nbytes for storage in storages.values())
    wanted = sum(math.prod(tensor.shape) * tensor.storage.dtype.itemsize for tensor in tensors.values())
    if wanted > _MOST_SHARED * held + _SMALL:
        raise DataError("its tensors take far more room than their storages; not loaded")


def _read_old(path: Path) -> Any:
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) == _ZIP_START:
            raise DataError("damaged or truncated archive (it has a beginning, but no directory at its end)")
        file.seek(0)
        storages: dict[str, _Storage] = {}
        if _load(file, storages) != _OLD_MAGIC:
            raise DataError("not a torch checkpoint")
        _load(file, storages)  # protocol version
        _load(file, storages)  # byte order and type sizes of the writer
        loaded = _load(file, storages)
        for key in _load(file, storages):
            storage = storages[_key(key)]
            (elements,) = struct.unpack("<q", file.read(8))
            length = elements * storage.dtype.itemsize
            if elements < 0 or length > size:
                raise DataError("a storage is larger than the file: is it truncated?")
            data = file.read(length)
            if len(data) != length:
                raise DataError("the file ends before its tensors do")
            storage.data = np.frombuffer(data, storage.dtype)
    return loaded


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(pickles) != 1:
            raise DataError("not a torch checkpoint: the archive has no data.pkl")
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise DataError("the archive's members overlap, which torch's do not; not loaded")
        root = pickles[0].removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}
        loaded = _load(io.BytesIO(_stored(archive, pickles[0])), storages)
        for key, storage in storages.items():
            data = _stored(archive, f"{root}data/{key}")
            whole = len(data) // storage.dtype.itemsize * storage.dtype.itemsize
            storage.data = np.frombuffer(data[:whole], storage.dtype)
    return loaded


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member as torch writes it, uncompressed: a compressed one could be far larger than the file."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise DataError(f"{name} is compressed, which torch does not do; not loaded")
    return archive.read(name)
