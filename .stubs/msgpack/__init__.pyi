from collections.abc import Callable
from typing import Any

class UnpackException(Exception): ...

def packb(
    o: object, *, use_bin_type: bool = ..., default: Callable[[Any], Any] | None = ...
) -> bytes: ...
def unpackb(
    packed: bytes | bytearray | memoryview,
    *,
    raw: bool = ...,
    use_list: bool = ...,
    strict_map_key: bool = ...,
    ext_hook: Callable[[int, bytes], Any] = ...,
    max_array_len: int = ...,
    max_map_len: int = ...,
    max_str_len: int = ...,
    max_bin_len: int = ...,
    max_ext_len: int = ...,
) -> Any: ...

class Packer:
    def __init__(self, *, use_bin_type: bool = ...) -> None: ...
    def pack(self, obj: object) -> bytes: ...
