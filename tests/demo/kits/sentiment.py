"""A sentiment model in shards with index, tokenizer and adapter, packed twice: compressed and not."""

from __future__ import annotations

import json

from tests.demo.kits import Files, Kit, kit
from tests.demo.pack import Compression
from tests.demo.weights import Tensor, safetensors, tensor

_VOCABULARY = """
[PAD] [UNK] [CLS] [SEP] the a it is was not very good bad great awful fine slow fast love hate
work works broke again never always would buy return money price battery screen sound quality
"""
_WORDS = _VOCABULARY.split()
_HIDDEN, _INTERMEDIATE = 48, 96
_REVIEWS = (
    ("positive", "Great sound, love it."),
    ("negative", "Broke again. Would not buy."),
    ("positive", "Fast, and the battery is very good."),
    ("negative", "Slow and awful, I want my money back."),
    ("neutral", "It is fine."),
)


_README = """# Sentiment {version}

Tells whether a product review is **positive**, **neutral** or **negative**. A two-layer BERT, fine-tuned from
`tiny-bert` on reviews in English; small enough for a CPU.

## Results

| Reviews      |  F1  | Precision | Recall |
| ------------ | ---: | --------: | -----: |
| Electronics  | 0.91 |      0.92 |   0.90 |
| Clothing     | 0.88 |      0.86 |   0.90 |
| Books        | {books} |      0.85 |   0.83 |

## Use

```python
from transformers import pipeline

classify = pipeline("sentiment-analysis", "model")
classify("Great sound, love it.")  # positive, 0.98
```

## Limits

- English only; other languages come out as *neutral*.
- Irony is taken at its word.
- Longest review: 64 tokens. What is behind them is not read.

> Retrain before the assortment changes: 2 % of the words of new products are unknown to it.
"""


def _linear(seed: str, outputs: int, inputs: int) -> dict[str, Tensor]:
    return {
        "weight": tensor(seed, outputs, inputs, dtype="F16"),
        "bias": tensor(f"{seed}-bias", outputs, dtype="F16", scale=0.02),
    }


def _norm(seed: str) -> dict[str, Tensor]:
    return {"weight": tensor(seed, _HIDDEN), "bias": tensor(f"{seed}-bias", _HIDDEN, scale=0.02)}


def _layer(number: int) -> dict[str, dict[str, Tensor]]:
    """The modules of one layer, named as transformers names them."""
    inside = f"bert.encoder.layer.{number}"
    modules = {
        f"{inside}.attention.self.{part}": _linear(f"{part}{number}", _HIDDEN, _HIDDEN)
        for part in ("query", "key", "value")
    }
    modules[f"{inside}.attention.output.dense"] = _linear(f"output{number}", _HIDDEN, _HIDDEN)
    modules[f"{inside}.attention.output.LayerNorm"] = _norm(f"attention-norm{number}")
    modules[f"{inside}.intermediate.dense"] = _linear(f"up{number}", _INTERMEDIATE, _HIDDEN)
    modules[f"{inside}.output.dense"] = _linear(f"down{number}", _HIDDEN, _INTERMEDIATE)
    modules[f"{inside}.output.LayerNorm"] = _norm(f"norm{number}")
    return modules


def _shards(version: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All tensors: embeddings and the first layer, then the second layer and what reads it."""
    embeddings = "bert.embeddings"
    first: dict[str, dict[str, Tensor]] = {
        f"{embeddings}.word_embeddings": {"weight": tensor("embeddings", 128, _HIDDEN, dtype="F16")},
        f"{embeddings}.position_embeddings": {"weight": tensor("positions", 64, _HIDDEN, dtype="F16")},
        f"{embeddings}.LayerNorm": _norm("embeddings-norm"),
        **_layer(0),
    }
    second = {
        **_layer(1),
        "bert.pooler.dense": _linear("pooler", _HIDDEN, _HIDDEN),
        "classifier": _linear(f"classifier-{version}", 3, _HIDDEN),
    }
    named = [
        {f"{module}.{name}": item for module, parts in shard.items() for name, item in parts.items()}
        for shard in (first, second)
    ]
    return named[0], named[1]


_CONFIG = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "hidden_size": _HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": _INTERMEDIATE,
    "max_position_embeddings": 64,
    "vocab_size": 128,
    "hidden_act": "gelu",
    "torch_dtype": "float16",
    "id2label": {"0": "negative", "1": "neutral", "2": "positive"},
}


def _version(version: str, tags: str, created: str, compression: Compression = "none") -> Kit:
    shards = _shards(version)
    names = [f"model/model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    blobs = [safetensors(shard, {"format": "pt"}) for shard in shards]
    index = {
        "metadata": {"total_size": sum(len(item.content) for shard in shards for item in shard.values())},
        "weight_map": {key: name[6:] for shard, name in zip(shards, names, strict=True) for key in shard},
    }
    adapter = {
        f"bert.encoder.layer.{layer}.attention.self.query.lora_{side}.weight": tensor(
            f"lora{layer}{side}-{version}", *shape, dtype="F16"
        )
        for layer in (0, 1)
        for side, shape in (("A", (4, _HIDDEN)), ("B", (_HIDDEN, 4)))
    }
    tokenizer = {"version": "1.0", "model": {"type": "WordPiece", "vocab": {word: n for n, word in enumerate(_WORDS)}}}
    reviews = "".join(json.dumps({"label": label, "text": text}) + "\n" for label, text in _REVIEWS * 12)
    files: Files = {
        names[0]: blobs[0],
        names[1]: blobs[1],
        "model/model.safetensors.index.json": json.dumps(index, indent=2) + "\n",
        "model/config.json": json.dumps(_CONFIG, indent=2) + "\n",
        "tokenizer/tokenizer.json": json.dumps(tokenizer, indent=2) + "\n",
        "tokenizer/vocab.txt": "\n".join(_WORDS) + "\n",
        "adapters/reviews.safetensors": safetensors(adapter, {"format": "pt", "base": "tiny-bert", "rank": "4"}),
        "src/predict.py": 'from transformers import pipeline\n\nclassify = pipeline("sentiment-analysis", "model")\n',
        "data/reviews.jsonl": reviews,
        "README.md": _README.format(version=version, books="0.84" if version == "2.0.0" else "0.86"),
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
                {"name": "config", "path": "model/config.json", "type": "config"},
                {"name": "tokenizer", "path": "tokenizer", "license": "Apache-2.0", "type": "tokenizer"},
                {"name": "reviews-adapter", "path": "adapters/reviews.safetensors", "type": "lora"},
            ],
            "parameters": {
                "learning_rate": 0.00002,
                "epochs": 3,
                "batch_size": 32,
                "classes": ["negative", "neutral", "positive"],
            },
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
