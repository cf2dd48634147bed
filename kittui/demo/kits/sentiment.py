"""A sentiment model in shards with index, tokenizer and adapter, packed twice: compressed and not."""

from __future__ import annotations

import json

from kittui.demo.kits import Files, Kit, kit
from kittui.demo.pack import Compression
from kittui.demo.weights import Tensor, safetensors, tensor

_VOCABULARY = """
[PAD] [UNK] [CLS] [SEP] the a it is was not very good bad great awful fine slow fast love hate
work works broke again never always would buy return money price battery screen sound quality
"""
_WORDS = _VOCABULARY.split()
_REVIEWS = (
    ("positive", "Great sound, love it."),
    ("negative", "Broke again. Would not buy."),
    ("positive", "Fast, and the battery is very good."),
    ("negative", "Slow and awful, I want my money back."),
    ("neutral", "It is fine."),
)


def _version(version: str, tags: str, created: str, compression: Compression = "none") -> Kit:
    hidden = 48
    shards: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
    shards[0]["embeddings.weight"] = tensor("embeddings", 128, hidden, dtype="F16")
    for layer, shard in ((0, 0), (1, 1)):
        for part in ("query", "key", "value", "output"):
            shards[shard][f"layer.{layer}.{part}.weight"] = tensor(f"{part}{layer}", hidden, hidden, dtype="F16")
    shards[1]["classifier.weight"] = tensor(f"classifier-{version}", 3, hidden, dtype="F16")
    names = [f"model/model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    blobs = [safetensors(shard, {"format": "pt"}) for shard in shards]
    index = {
        "metadata": {"total_size": sum(len(item.content) for shard in shards for item in shard.values())},
        "weight_map": {key: name[6:] for shard, name in zip(shards, names, strict=True) for key in shard},
    }
    adapter = {
        f"base.layer.{layer}.query.lora_{side}.weight": tensor(f"lora{layer}{side}-{version}", *shape, dtype="F16")
        for layer in (0, 1)
        for side, shape in (("A", (4, hidden)), ("B", (hidden, 4)))
    }
    tokenizer = {"version": "1.0", "model": {"type": "WordPiece", "vocab": {word: n for n, word in enumerate(_WORDS)}}}
    reviews = "".join(json.dumps({"label": label, "text": text}) + "\n" for label, text in _REVIEWS * 12)
    files: Files = {
        names[0]: blobs[0],
        names[1]: blobs[1],
        "model/model.safetensors.index.json": json.dumps(index, indent=2) + "\n",
        "tokenizer/tokenizer.json": json.dumps(tokenizer, indent=2) + "\n",
        "tokenizer/vocab.txt": "\n".join(_WORDS) + "\n",
        "adapters/reviews.safetensors": safetensors(adapter, {"format": "pt", "base": "tiny-bert", "rank": "4"}),
        "src/predict.py": 'from transformers import pipeline\n\nclassify = pipeline("sentiment-analysis", "model")\n',
        "data/reviews.jsonl": reviews,
        "README.md": f"# Sentiment {version}\n\nThree classes, product reviews in English.\n",
        "LICENSE": "MIT License\n\nCopyright Acme. Permission is hereby granted, free of charge, to any person ...\n",
    }
    kitfile = {
        "package": {
            "name": "sentiment",
            "version": version,
            "description": "What customers think of what they bought",
            "license": "MIT",
            "authors": ["NLP"],
        },
        "model": {
            "name": "tiny-bert-sentiment",
            "path": names[0],
            "license": "MIT",
            "framework": "transformers",
            "format": "safetensors",
            "version": version,
            "parts": [
                {"name": "shard-2", "path": names[1], "type": "safetensors"},
                {"name": "weight-index", "path": "model/model.safetensors.index.json", "type": "index"},
                {"name": "tokenizer", "path": "tokenizer", "license": "Apache-2.0", "type": "tokenizer"},
                {"name": "reviews-adapter", "path": "adapters/reviews.safetensors", "type": "lora"},
            ],
            "parameters": {"hidden": hidden, "layers": 2, "classes": ["negative", "neutral", "positive"]},
        },
        "code": [{"path": "src", "description": "Inference"}],
        "datasets": [{"name": "reviews", "path": "data/reviews.jsonl", "description": "Labelled reviews"}],
        "docs": [{"path": "README.md"}, {"path": "LICENSE", "description": "Licence text"}],
    }
    return kit("acme/sentiment", tags, created, kitfile, files, compression)


def kits() -> list[Kit]:
    """2.0.0 in both packagings (the same content, other digests), and its successor."""
    return [
        _version("2.0.0", "v2.0.0 champion", "2026-07-06"),
        _version("2.0.0", "v2.0.0-gzip", "2026-07-06", "gzip"),
        _version("2.1.0", "v2.1.0 latest", "2026-10-19", "gzip"),
    ]
