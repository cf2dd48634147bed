"""What a file is for, told by its name and place: parameters, notebooks, Dockerfiles, infrastructure, prompts."""

from __future__ import annotations

import re
from typing import Final, Literal

FileKind = Literal[
    "weights", "parameters", "notebook", "dockerfile", "helm", "terraform", "prompt", "dataset", "tokenizer",
    "model card", "features", "license", "source", "text", "archive", "pickle", "other",
]  # fmt: skip

_PATTERNS: Final[tuple[tuple[FileKind, str], ...]] = (
    ("notebook", r"\.ipynb$"),
    ("dockerfile", r"(^|/)(dockerfile|containerfile)([.-][^/]*)?$|\.dockerfile$"),
    ("helm", r"(^|/)(chart\.(yaml|lock)|values([.-][^/]*)?\.ya?ml)$"),
    ("helm", r"(^|/)(charts?|helm)/(.*/)?templates/[^/]*\.(ya?ml|tpl|txt)$|(^|/)templates/_[^/]*\.tpl$"),
    ("terraform", r"\.(tf|tfvars|tofu)(\.json)?$|(^|/)\.terraform\.lock\.hcl$"),
    ("model card", r"(^|/)model[_-]?card[^/]*\.(md|txt|rst)$"),
    ("license", r"(^|/)(licen[cs]e|copying|notice)([.-][^/]*)?$"),
    ("features", r"(^|/)feature[_-]?(list|names|columns|schema)s?\.[^/]+$|(^|/)features\.(json|ya?ml|txt|csv)$"),
    ("tokenizer", r"(^|/)(tokenizer[^/]*|vocab[^/]*|merges\.txt|special_tokens_map\.json|spiece\.model)$"),
    ("parameters", r"(^|/)((hyper)?[_-]?param(eter)?s|training_args)\.(json|ya?ml|toml|ini)$"),
    ("parameters", r"(^|/)((generation|adapter|preprocessor)_)?config\.(json|ya?ml|toml|ini)$"),
    ("prompt", r"(^|/)prompts?/[^/]+\.(md|txt|ya?ml|json|j2|jinja2?)$|\.prompt(\.[a-z0-9]+)?$"),
    ("prompt", r"(^|/)([a-z]+[_-])?prompt[^/]*\.(md|txt|j2)$"),
    ("weights", r"\.(safetensors(\.index\.json)?|gguf|ggml|onnx|h5|hdf5|keras|tflite|npz?|msgpack)$"),
    ("pickle", r"\.(pkl|pickle|pt|pth|ckpt|joblib|dill)$|(^|/)pytorch_model[^/]*\.bin$"),
    ("dataset", r"\.(csv|tsv|parquet|jsonl|ndjson|arrow|feather|avro|orc|tfrecord)(\.gz|\.zst)?$"),
    ("archive", r"\.(zip|tar|tgz|tar\.(gz|zst|xz|bz2)|whl|jar|mcpb)$"),
    ("source", r"\.(py|pyi|r|jl|go|rs|c|cc|cpp|h|java|kt|js|ts|sh|sql|scala|cu)$|(^|/)makefile$"),
    ("text", r"\.(md|rst|txt|json|ya?ml|toml|ini|cfg|xml|html?|log)$|(^|/)(readme|changelog)[^/]*$"),
)
_RULES: Final = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _PATTERNS)


def recognise(path: str) -> FileKind:
    """The kind of a file in a layer; `other` for what no rule knows. A safetensors index counts as weights."""
    for kind, pattern in _RULES:
        if pattern.search(path):
            return kind
    return "other"
