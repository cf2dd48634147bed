"""A corpus of files that are made to break a parser: by name, with the words that must be said about each.

An empty text says that the file is right but odd, and that nothing may be wrong with it.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile

Corpus = dict[str, tuple[bytes, str]]


def safe(header: bytes, body: bytes = b"") -> bytes:
    """A safetensors file with this header."""
    return struct.pack("<Q", len(header)) + header + body


def _tensors(**entries: tuple[str, object, object]) -> bytes:
    fields = ("dtype", "shape", "data_offsets")
    return json.dumps({name: dict(zip(fields, entry, strict=True)) for name, entry in entries.items()}).encode()


def _gguf(tensors: int, keys: int, body: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + body


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def _gguf_tensor(name: bytes, shape: list[int], kind: int, offset: int) -> bytes:
    sizes = b"".join(struct.pack("<Q", size) for size in shape)
    return _text(name) + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", kind, offset)


def _zip(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return out.getvalue()


def _lying(content: bytes, place: int, value: int) -> bytes:
    """A zip archive with another number in the first entry of its directory."""
    at = content.index(b"PK\1\2") + place
    return content[:at] + struct.pack("<I", value) + content[at + 4 :]


def _npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def _field(number: int, body: bytes) -> bytes:
    length = len(body)
    head = bytes([number << 3 | 2])
    while length > 127:
        head += bytes([length & 127 | 128])
        length >>= 7
    return head + bytes([length]) + body


_F32 = ("F32", [2], [0, 8])
_ONNX = _field(2, b"maker")

SAFETENSORS: Corpus = {
    "nothing": (b"", "too short"),
    "no-header": (bytes(8), "not valid JSON"),
    "header-of-2-to-63": (struct.pack("<Q", 1 << 63) + b"{}", "can't be"),
    "header-of-2-to-64": (struct.pack("<Q", (1 << 64) - 1) + b"{}", "can't be"),
    "header-one-too-long": (struct.pack("<Q", 3) + b"{}", "can't be"),
    "not-utf-8": (safe(b'{"\xff":1}'), "not valid JSON"),
    "deep": (safe(b'{"a":' + b"[" * 200_000), "not valid JSON"),
    "nan": (safe(b'{"a":NaN}'), "are marked"),
    "doubled": (safe(b'{"a":1,"a":1}'), "twice"),
    "doubled-inside": (safe(b'{"a":{"dtype":"F32","dtype":"F16"}}'), "twice"),
    "a-long-number": (safe(b'{"a":{"dtype":"U8","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,0]}}'), "are marked"),
    "overlapping": (safe(_tensors(a=_F32, b=("F32", [2], [4, 12])), bytes(12)), "are marked"),
    "the-same-bytes-twice": (safe(_tensors(a=_F32, b=_F32), bytes(8)), "are marked"),
    "behind-the-end": (safe(_tensors(a=("F32", [2], [8, 16])), bytes(8)), "are marked"),
    "backwards": (safe(_tensors(a=("F32", [2], [8, 0])), bytes(8)), "are marked"),
    "negative": (safe(_tensors(a=("F32", [-2], [0, 8])), bytes(8)), "are marked"),
    "offsets-of-2-to-62": (safe(_tensors(a=("U8", [1 << 62], [0, 1 << 62])), bytes(8)), "are marked"),
    "a-shape-that-multiplies": (safe(_tensors(a=("F32", [1 << 62] * 60, [0, 8])), bytes(8)), "are marked"),
    "a-hole": (safe(_tensors(a=("F32", [2], [8, 16])), bytes(16)), "unaccounted"),
    "names-that-draw": (safe(_tensors(**{"\x1b]0;x\x07": _F32, "e\u0301": ("F32", [0], [8, 8])}), bytes(8)), ""),
}
GGUF: Corpus = {
    "too-short": (b"GGUF", "cut short"),
    "another-version": (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "version 99"),
    "tensors-of-2-to-62": (_gguf(1 << 62, 0), "can't be"),
    "keys-of-2-to-62": (_gguf(0, 1 << 62), "can't be"),
    "a-million-keys": (_gguf(0, 1_000_000, bytes(100)), "can't be"),
    "an-array-of-2-to-60": (_gguf(0, 1, _text(b"a") + struct.pack("<IIQ", 9, 8, 1 << 60)), "can't be in it"),
    "arrays-in-arrays": (_gguf(0, 1, _text(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 99), "type 9"),
    "a-string-of-2-to-60": (_gguf(0, 1, struct.pack("<Q", 1 << 60) + bytes(64)), "a string of"),
    "a-tensor-of-many-dimensions": (_gguf(1, 0, _gguf_tensor(b"t", [1] * 9, 0, 0) + bytes(64)), "9 dimensions"),
    "a-tensor-behind-the-end": (_gguf(1, 0, _gguf_tensor(b"t", [4], 0, 1 << 40) + bytes(64)), "are marked"),
    "a-tensor-of-2-to-500": (_gguf(1, 0, _gguf_tensor(b"t", [1 << 62] * 8, 0, 0) + bytes(64)), "are marked"),
    "a-type-that-is-none": (_gguf(1, 0, _gguf_tensor(b"t", [4], 999, 0) + bytes(64)), "are marked"),
    "alignment-of-0": (
        _gguf(0, 1, _text(b"general.alignment") + struct.pack("<II", 4, 0) + bytes(64)),
        "impossible alignment",
    ),
    "keys-that-draw": (_gguf(0, 1, _text(b"\xff\x1b[2J") + struct.pack("<II", 4, 1) + bytes(64)), ""),
}
NPY: Corpus = {
    "a-shape-of-2-to-70": (_npy(b"{'descr':'<f4','shape':(%d,)}" % (1 << 70)), "damaged header"),
    "a-shape-of-many": (_npy(b"{'descr':'<f4','shape':(" + b"1," * 99 + b")}"), "damaged shape"),
    "a-shape-that-multiplies": (_npy(b"{'descr':'<f4','shape':(" + b"9223372036854775807," * 60 + b")}"), "do not fit"),
    "a-header-that-runs": (_npy(b"{'descr':'<f4','shape':(__import__('os').getpid(),)}"), "damaged header"),
    "brackets": (_npy(b"(" * 60_000), "damaged header"),
    "an-odd-literal": (_npy(b"{'descr':'<f4','shape':(3if 1else 2,),'a':'\\d'}"), "damaged header"),
    "a-call": (_npy(b"{'descr':'<f4','shape':1()}"), "damaged header"),
    "objects": (_npy(b"{'descr':'|O','shape':(3,)}"), "pickled objects"),
}
NPZ: Corpus = {
    "a-directory-behind-the-end": (_lying(_zip(("a.npy", b"x" * 99)), 42, 1 << 30), "outside of it"),
    "a-member-that-is-none": (_lying(_zip(("a.npy", b"x" * 99)), 42, 5), "no member"),
    "a-bomb": (_zip(("a.npy", _npy(b"{'descr':'<f4','shape':(1,)}") + bytes(20_000_000))), "do not fit"),
    "names-that-draw": (_zip(("\x1b[2J\u202ee\u0301.npy", b"x")), "not a NumPy array"),
    "no-directory": (b"PK\3\4" + bytes(100), "no directory"),
    "a-count-that-lies": (
        (content := _zip(("a.npy", b"x")))[: content.rindex(b"PK\5\6") + 10] + b"\xfe\xff" + content[-10:],
        "not a NumPy array",
    ),
}
ONNX: Corpus = {
    "an-endless-number": (b"\x08" + b"\xff" * 30, "endless"),
    "a-field-that-leads-out": (_ONNX + b"\x3a\xff\xff\x7f", "leads out"),
    "groups": (_ONNX + b"\x0b", "unknown kind"),
    "a-graph-in-a-graph": (_ONNX + _field(7, _field(5, _field(1, bytes([1]) * 200))), "64 dimensions"),
    "a-field-0": (_ONNX + b"\x02\x00", "leads out"),
    "cut": (_ONNX + _field(7, _field(2, b"graph") + _field(5, _field(8, b"name")))[:-2], "leads out"),
}
PICKLES: Corpus = {
    "endless-brackets": (b"(" * 50_000, "ends before its STOP"),
    "from-nothing": (b"\x80\x020000.", "never set"),
    "a-mark-that-was-never-set": (b"\x80\x02Nt.", "never set"),
    "a-memo-that-was-never-kept": (b"\x80\x02h\x07.", "never kept"),
    "a-number-of-a-million-digits": (b"\x80\x02I" + b"1" * 1_000_000 + b"\n.", "damaged"),
    "a-length-of-2-to-63": (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 63), "cut short"),
    "an-unknown-instruction": (b"\x80\x02\xff.", "damaged"),
    "a-list-that-holds-itself": (b"\x80\x02]q\x00h\x00a.", ""),
    "a-billion-lists": (
        b"\x80\x02]q\x00" + b"".join(b"(h%ch%clq%c" % (n, n, n + 1) for n in range(200)) + b".",
        "",
    ),
}


def tar_header(name: bytes = b"f", size: bytes = b"00000000005\0", kind: bytes = b"0") -> bytes:
    """A USTAR header with a right checksum and these fields as they are."""
    head = bytearray(512)
    head[: len(name)] = name
    head[100:108], head[124:136], head[156:157], head[257:265] = b"0000644\0", size, kind, b"ustar\x0000"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def _pax(kind: bytes, *records: bytes) -> bytes:
    lines = b""
    for record in records:
        length = len(record) + 3
        while len(b"%d %s\n" % (length, record)) != length:
            length += 1
        lines += b"%d %s\n" % (length, record)
    return tar_header(kind=kind, size=b"%011o\0" % len(lines)) + lines + bytes(-len(lines) % 512)


_FILE = tar_header() + b"12345".ljust(512, b"\0")
_END = bytes(1024)
TARS: Corpus = {
    "no-tar": (b"words" * 200, "not a tar archive"),
    "cut-in-a-header": (_FILE + tar_header()[:100], "inside a header"),
    "cut-in-a-file": (tar_header(size=b"00000007777\0") + b"12345", "cut short"),
    "a-wrong-checksum": (_FILE + b"x" * 512, "wrong checksum"),
    "a-negative-size": (tar_header(size=b"\xff" * 12), "negative"),
    "a-size-of-2-to-95": (tar_header(size=b"\x80" + b"\x7f" * 11), "impossible size"),
    "a-size-of-2-to-63": (tar_header(size=b"\x80" + (1 << 63).to_bytes(11, "big")), "impossible size"),
    "a-size-of-2-to-62": (tar_header(size=b"\x80" + (1 << 62).to_bytes(11, "big")), "cut short"),
    "a-size-in-words": (tar_header(size=b"five\0".ljust(12, b"\0")), "not octal"),
    "a-size-below-zero-in-words": (tar_header(size=b"-0000000005\0"), "not octal"),
    "headers-without-end": (tar_header(kind=b"x", size=b"00000000000\0") * 40 + _FILE + _END, "16 extension headers"),
    "long-names-without-end": (tar_header(kind=b"L", size=b"00000000000\0") * 40 + _FILE, "16 extension headers"),
    "an-extension-of-2-to-33": (tar_header(kind=b"x", size=b"77777777777\0"), "an extension header of"),
    "a-pax-size-of-2-to-70": (_pax(b"x", b"size=%d" % (1 << 70)) + _FILE + _END, "impossible size"),
    "a-pax-size-below-zero": (_pax(b"x", b"size=-5") + _FILE + _END, "impossible size"),
    "a-pax-record-that-lies": (tar_header(kind=b"x", size=b"00000000012\0") + b"99 path=a\n".ljust(512), "its form"),
    "a-pax-record-of-nothing": (tar_header(kind=b"x", size=b"00000000012\0") + b"0 path=abc".ljust(512), "its form"),
    "an-extension-at-the-end": (_FILE + _pax(b"x", b"path=b") + _END, "belongs to no entry"),
    "many-pax-keys": (_pax(b"g", *(b"key%d=1" % n for n in range(20_000))) + _FILE + _END, ""),
    "twins": (
        b"".join(tar_header(name, b"00000000000\0") for name in ("é".encode(), "e\u0301".encode(), b"\xe9", b"\x1b[2J"))
        + _END,
        "",
    ),
}

FILES: dict[str, Corpus] = {
    ".safetensors": SAFETENSORS,
    ".gguf": GGUF,
    ".npy": NPY,
    ".npz": NPZ,
    ".onnx": ONNX,
    ".pkl": PICKLES,
}
"""By the ending of the names that such files have."""


def small_tar(names: list[str]) -> bytes:
    """An archive of empty files, as tarfile writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    return out.getvalue()
