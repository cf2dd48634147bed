"""A small quantised vision model for devices at the edge, with a picture of what it does."""

from __future__ import annotations

import binascii
import json
import struct
import zlib

from tests.demo.kits import Files, Kit, kit
from tests.demo.weights import noise, safetensors, tensor

_LABELS = ["background", "person", "bicycle", "car", "dog", "forklift"]


def _sample() -> bytes:
    """A grey 48x48 PNG of a box on a gradient, stored and not deflated: every zlib writes the same bytes."""
    side = 48
    grain = noise("sample", side * side, 6)
    lines = bytearray()
    for y in range(side):
        lines.append(0)
        for x in range(side):
            inside = 14 <= x < 34 and 12 <= y < 38
            edge = inside and (x in (14, 33) or y in (12, 37))
            level = 250 if edge else (170 if inside else 40 + y + x // 2)
            lines.append(max(0, min(255, level + int(grain[y * side + x]))))
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(lines), len(lines) ^ 0xFFFF) + lines
    stored += struct.pack(">I", zlib.adler32(lines))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", binascii.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stored) + chunk(b"IEND", b"")


def _version(version: str, tags: str, created: str, classes: int, map50: float) -> Kit:
    weights = {
        "stem.conv.weight": tensor("stem", 16, 1, 5, 5, dtype="I8"),
        "stem.conv.scale": tensor("stem-scale", 16),
        "block1.conv.weight": tensor("block1", 32, 16, 3, 3, dtype="I8"),
        "block1.conv.scale": tensor("block1-scale", 32),
        "block2.conv.weight": tensor(f"block2-{version}", 48, 32, 3, 3, dtype="I8"),
        "block2.conv.scale": tensor(f"block2-scale-{version}", 48),
        "head.weight": tensor(f"head-{classes}", classes, 48),
        "head.bias": tensor(f"head-bias-{classes}", classes),
    }
    files: Files = {
        "model/edge.safetensors": safetensors(weights, {"format": "pt", "version": version, "quantisation": "int8"}),
        "model/labels.json": json.dumps(_LABELS[:classes], indent=2) + "\n",
        "README.md": f"# Edge detector {version}\n\nFinds {classes - 1} kinds of things, 12 ms a frame on one core.\n\n"
        f"mAP@50: {map50}\n\n![sample](docs/sample.png)\n",
        "docs/sample.png": _sample(),
    }
    kitfile = {
        "package": {
            "name": "edge-detector",
            "version": version,
            "description": "Object detector for cameras without a GPU",
            "license": "Apache-2.0",
            "authors": ["Vision"],
        },
        "model": {
            "name": "edge-net",
            "path": "model/edge.safetensors",
            "framework": "pytorch",
            "format": "safetensors",
            "version": version,
            "parts": [{"name": "labels", "path": "model/labels.json", "type": "labels"}],
            "parameters": {"input": [1, 96, 96], "classes": classes, "metrics": {"map50": map50}},
        },
        "docs": [{"path": "README.md"}, {"path": "docs/sample.png", "description": "A frame and its box"}],
    }
    return kit("vision/edge-detector", tags, created, kitfile, files)


def kits() -> list[Kit]:
    """Two versions; the second has learnt one more class."""
    return [
        _version("0.3.0", "v0.3.0 champion", "2026-08-30", 5, 0.612),
        _version("0.4.0", "v0.4.0 challenger latest", "2026-11-12", 6, 0.640),
    ]
