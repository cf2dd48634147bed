"""A fraud detector through its lifecycle: what is in production, what would replace it, and what went before."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from tests.demo.kits import Files, Kit, kit
from tests.demo.kits import fraud_texts as texts
from tests.demo.kits.transactions import rows, table
from tests.demo.weights import Tensor, noise, safetensors, tensor

REPOSITORY = "acme/fraud-detector"
MISLABELLED = 41
"""The training row whose label the challenger's team corrected."""

_TRAINING, _VALIDATION, _TUNING = rows("training", 0, 360), rows("validation", 5000, 120), rows("tuning", 9000, 140)


def _corrected(lines: Sequence[str]) -> list[str]:
    """The rows with one label turned around."""
    wrong = lines[MISLABELLED]
    right = f"{wrong[:-1]}{1 - int(wrong[-1])}"
    return [*lines[:MISLABELLED], right, *lines[MISLABELLED + 1 :]]


def _network(version: str, merchants: int = 256, dense2: str = "1.0.0") -> bytes:
    """The network; versions differ in `dense2.weight` alone, unless the number of merchants grows."""
    base = tensor("dense2", 32, 64).values
    shift = noise(f"dense2-{dense2}", len(base), 0.004) if dense2 != "1.0.0" else [0.0] * len(base)
    weights = {
        "merchant_embedding.weight": tensor(f"embedding-{merchants}", merchants, 8),
        "dense1.weight": tensor("dense1", 64, 20),
        "dense1.bias": tensor("dense1-bias", 64, scale=0.02),
        "dense2.weight": Tensor((32, 64), [value + moved for value, moved in zip(base, shift, strict=True)]),
        "dense2.bias": tensor("dense2-bias", 32, scale=0.02),
        "output.weight": tensor("output", 1, 32),
        "output.bias": tensor("output-bias", 1, scale=0.02),
    }
    return safetensors(weights, {"format": "pt", "version": version, "threshold": "0.42"})


def _small_network() -> bytes:
    """The network before merchants were embedded: narrower, and three tensors fewer."""
    weights = {
        "dense1.weight": tensor("small-dense1", 32, 12),
        "dense1.bias": tensor("small-dense1-bias", 32, scale=0.02),
        "output.weight": tensor("small-output", 1, 32),
        "output.bias": tensor("small-output-bias", 1, scale=0.02),
    }
    return safetensors(weights, {"format": "pt", "version": "0.9.0", "threshold": "0.50"})


def _pickled() -> bytes:
    """A logistic regression as pickle protocol 2, opcode by opcode: loading it would import scikit-learn."""

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    state = b"".join(
        text(key) + b"]" + b"(" + b"".join(b"G" + struct.pack(">d", number) for number in numbers) + b"e"
        for key, numbers in (("coef_", noise("logistic", 12)), ("intercept_", [-2.5]))
    )
    made = b"csklearn.linear_model._logistic\nLogisticRegression\n)\x81"
    return b"\x80\x02" + made + b"}(" + state + text("classes_") + b"](K\x00K\x01eu" + b"b."


def _package(version: str, description: str = "Scores card payments in 3 ms") -> dict[str, Any]:
    return {
        "name": "fraud-detector",
        "version": version,
        "description": description,
        "license": "Apache-2.0",
        "authors": ["Risk ML", "Ada Lovelace"],
    }


def _model(
    version: str, parameters: Mapping[str, Any], description: str = "Embedded merchants and two dense layers"
) -> dict[str, Any]:
    return {
        "name": "fraud-net",
        "path": "./model/fraud.safetensors",
        "license": "Apache-2.0",
        "framework": "pytorch",
        "format": "safetensors",
        "version": version,
        "description": description,
        "parameters": parameters,
    }


def _parameters(rate: float, epochs: int, auc: float, recall: float) -> dict[str, Any]:
    return {
        "learning_rate": rate,
        "epochs": epochs,
        "batch_size": 64,
        "seed": 17,
        "features": ["amount", "merchant", "country", "hour", "card_present"],
        "metrics": {"auc": auc, "recall_at_1pct": recall},
    }


def _datasets(training: int) -> list[dict[str, Any]]:
    return [
        {
            "name": "training",
            "path": "./data/train.csv",
            "description": "Labelled payments",
            "license": "CC0-1.0",
            "parameters": {"rows": training, "split": "train"},
        },
        _validation(),
    ]


def _validation() -> dict[str, Any]:
    return {
        "name": "validation",
        "path": "./data/validation.csv",
        "description": "Held out; never trained on",
        "license": "CC0-1.0",
        "parameters": {"rows": len(_VALIDATION), "split": "validation"},
    }


def _production_code() -> list[dict[str, str]]:
    return [
        {"path": "./src", "description": "Training and serving", "license": "Apache-2.0"},
        {"path": "./notebooks", "description": "How it was evaluated"},
        {"path": "./deploy", "description": "Dockerfile and Helm chart"},
    ]


def _production_files(version: str, rate: float, epochs: int, memory: str) -> dict[str, str]:
    parameters = {"learning_rate": rate, "epochs": epochs, "batch_size": 64, "threshold": 0.42}
    return {
        "src/train.py": texts.TRAIN,
        "src/serve.py": texts.SERVE,
        "src/params.json": json.dumps(parameters, indent=2) + "\n",
        "notebooks/evaluation.ipynb": texts.NOTEBOOK,
        "deploy/Dockerfile": texts.DOCKERFILE,
        "deploy/chart/Chart.yaml": texts.CHART.format(version=version),
        "deploy/chart/values.yaml": texts.VALUES.format(version=version, memory=memory),
        "deploy/chart/templates/deployment.yaml": texts.DEPLOYMENT,
    }


def _champion() -> Kit:
    files: Files = {
        **_production_files("1.0.0", 0.001, 20, "512Mi"),
        "model/fraud.safetensors": _network("1.0.0"),
        "data/train.csv": table(_TRAINING),
        "data/validation.csv": table(_VALIDATION),
        "README.md": texts.readme("1.0.0", 0.913, 0.774),
        "docs/MODEL_CARD.md": texts.MODEL_CARD,
    }
    kitfile = {
        "package": _package("1.0.0"),
        "model": _model("1.0.0", _parameters(0.001, 20, 0.913, 0.774)),
        "code": _production_code(),
        "datasets": _datasets(len(_TRAINING)),
        "docs": [
            {"path": "./README.md", "description": "Overview and metrics"},
            {"path": "./docs/MODEL_CARD.md", "description": "Use, limits and owner"},
        ],
    }
    return kit(REPOSITORY, "v1.0.0 champion", "2026-09-21", kitfile, files)


def _challenger() -> Kit:
    files: Files = {
        **_production_files("1.1.0", 0.0005, 30, "640Mi"),
        "src/train.py": texts.TRAIN_WITH_FEATURES,
        "src/features.py": texts.FEATURES,
        "model/fraud.safetensors": _network("1.1.0", dense2="1.1.0"),
        "data/train.csv": table(_corrected(_TRAINING)),
        "data/validation.csv": table(_VALIDATION),
        "README.md": texts.readme("1.1.0", 0.927, 0.802),
    }
    kitfile = {
        "package": _package("1.1.0"),
        "model": _model("1.1.0", _parameters(0.0005, 30, 0.927, 0.802)),
        "code": _production_code(),
        "datasets": _datasets(len(_TRAINING)),
        "docs": [{"path": "./README.md", "description": "Overview and metrics"}],
    }
    return kit(REPOSITORY, "v1.1.0 challenger tuned", "2026-11-16", kitfile, files)


def _rollback() -> Kit:
    training = _TRAINING[:220]
    files: Files = {
        "src/train.py": texts.TRAIN,
        "src/serve.py": texts.SERVE,
        "src/params.json": '{\n  "learning_rate": 0.003,\n  "epochs": 12,\n  "threshold": 0.5\n}\n',
        "model/fraud.safetensors": _small_network(),
        "data/train.csv": table(training),
        "data/validation.csv": table(_VALIDATION),
        "README.md": texts.readme("0.9.0", 0.871, 0.655),
        "docs/MODEL_CARD.md": texts.MODEL_CARD,
    }
    kitfile = {
        "package": _package("0.9.0"),
        "model": _model("0.9.0", _parameters(0.003, 12, 0.871, 0.655), "One dense layer"),
        "code": _production_code()[:1],
        "datasets": _datasets(len(training)),
        "docs": [
            {"path": "./README.md", "description": "Overview and metrics"},
            {"path": "./docs/MODEL_CARD.md", "description": "Use, limits and owner"},
        ],
    }
    return kit(REPOSITORY, "v0.9.0 rollback", "2026-06-15", kitfile, files)


def _retired() -> Kit:
    kitfile = {
        "package": _package("0.8.0", "The first one, a logistic regression. Replaced: pickled, and blind at night"),
        "model": {
            "name": "fraud-logistic",
            "path": "model/fraud.pkl",
            "framework": "scikit-learn",
            "format": "pickle",
            "version": "0.8.0",
            "parameters": {"C": 1.0, "metrics": {"auc": 0.802}},
        },
        "docs": [{"path": "README.md"}],
    }
    files: Files = {"model/fraud.pkl": _pickled(), "README.md": texts.readme("0.8.0", 0.802, 0.511)}
    return kit(REPOSITORY, "v0.8.0 retired", "2026-03-02", kitfile, files)


def _data_only(tags: str, created: str, name: str, description: str, lines: Sequence[str]) -> Kit:
    path = f"./data/{name}.csv"
    entry = {"name": name, "path": path, "description": description, "license": "CC0-1.0"}
    kitfile = {
        "package": _package(f"1.2.0-{tags}", description),
        "datasets": [_validation() if name == "validation" else {**entry, "parameters": {"rows": len(lines)}}],
    }
    return kit(REPOSITORY, tags, created, kitfile, {f"data/{name}.csv": table(lines)})


def _trained() -> Kit:
    training = [*_corrected(_TRAINING), *_TUNING]
    kitfile = {
        "package": _package("1.2.0"),
        "model": _model("1.2.0", _parameters(0.0005, 30, 0.931, 0.811)),
        "datasets": _datasets(len(training)),
    }
    files: Files = {
        "model/fraud.safetensors": _network("1.2.0", merchants=320, dense2="1.2.0"),
        "data/train.csv": table(training),
        "data/validation.csv": table(_VALIDATION),
    }
    return kit(REPOSITORY, "trained", "2026-11-20", kitfile, files)


def kits() -> list[Kit]:
    """Every stage of the lifecycle, and the versions behind the stages."""
    return [
        _retired(),
        _rollback(),
        _data_only("validating", "2026-09-18", "validation", "Payments to validate with", _VALIDATION),
        _champion(),
        _challenger(),
        _data_only("tuning", "2026-11-18", "tuning", "Night-time payments to tune with", _TUNING),
        _trained(),
    ]
