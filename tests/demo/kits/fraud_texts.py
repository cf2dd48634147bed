"""Code, notebook, deployment and documents of the fraud detector."""

from __future__ import annotations

import json

TRAIN = '''#!/usr/bin/env python3
"""Train the fraud network on data/train.csv."""

import json

import pandas as pd
import torch

from network import FraudNet

FEATURES = ["amount", "merchant", "country", "hour", "card_present"]


def main() -> None:
    params = json.load(open("src/params.json"))
    frame = pd.read_csv("data/train.csv")
    net = FraudNet(len(FEATURES))
    optimiser = torch.optim.Adam(net.parameters(), lr=params["learning_rate"])
    for epoch in range(params["epochs"]):
        loss = net.fit(frame[FEATURES], frame["is_fraud"], optimiser)
        print(f"epoch {epoch:3d}  loss {loss:.4f}")
    net.save("model/fraud.safetensors")


if __name__ == "__main__":
    main()
'''

TRAIN_WITH_FEATURES = TRAIN.replace(
    "from network import FraudNet\n", "from features import night_share\nfrom network import FraudNet\n"
).replace(
    "    net = FraudNet(len(FEATURES))\n",
    '    frame["night_share"] = night_share(frame)\n    net = FraudNet(len(FEATURES) + 1)\n'
    '    net.freeze_all_but("dense2")\n',
)

FEATURES = '''"""Features that are computed rather than read."""

import pandas as pd

NIGHT = range(0, 6)


def night_share(frame: pd.DataFrame) -> pd.Series:
    """How much of a merchant's turnover is made at night, 0 to 1."""
    at_night = frame["amount"].where(frame["hour"].isin(NIGHT), 0.0)
    by_merchant = frame.groupby("merchant")["amount"].transform("sum")
    return at_night.groupby(frame["merchant"]).transform("sum") / by_merchant
'''

SERVE = '''"""Score one payment over HTTP."""

from fastapi import FastAPI
from safetensors.torch import load_file

app = FastAPI()
weights = load_file("model/fraud.safetensors")


@app.post("/score")
def score(payment: dict) -> dict:
    probability = forward(weights, payment)
    return {"probability": probability, "block": probability > 0.42}
'''

DOCKERFILE = """FROM python:3.11-slim
RUN useradd --system fraud
WORKDIR /app
COPY model model
COPY src src
RUN pip install --no-cache-dir fastapi uvicorn safetensors torch
USER fraud
EXPOSE 8080
CMD ["uvicorn", "src.serve:app", "--host", "0.0.0.0", "--port", "8080"]
"""

CHART = """apiVersion: v2
name: fraud-detector
description: Scores card payments
type: application
version: {version}
appVersion: "{version}"
"""

VALUES = """image:
  repository: registry.acme.example/fraud-detector-server
  tag: "{version}"
modelkit: registry.acme.example/acme/fraud-detector:champion
replicas: 3
resources:
  requests:
    cpu: 250m
    memory: {memory}
  limits:
    memory: {memory}
"""

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      app: {{ .Release.Name }}
  template:
    metadata:
      labels:
        app: {{ .Release.Name }}
    spec:
      initContainers:
        - name: model
          image: ghcr.io/kitops-ml/kitops:latest
          args: ["unpack", "{{ .Values.modelkit }}", "--filter", "model", "-d", "/model"]
          volumeMounts:
            - {name: model, mountPath: /model}
      containers:
        - name: server
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          ports:
            - containerPort: 8080
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          volumeMounts:
            - {name: model, mountPath: /app/model}
      volumes:
        - name: model
          emptyDir: {}
"""

MODEL_CARD = """# Model card: fraud detector

**Use.** Scores card payments of retail customers in the euro zone; above the threshold a payment is held for review.
**Not for.** Credit decisions, business accounts, countries outside of the training data.
**Data.** Synthetic payments with chargeback labels after 30 days; no personal data.
**Limits.** Merchants seen fewer than ten times share one embedding. Recall drops between 0 and 6 o'clock.
**Owner.** Risk ML. Reviewed every quarter.
"""


def readme(version: str, auc: float, recall: float) -> str:
    """The README with a version's metrics."""
    return (
        f"# Fraud detector {version}\n\nScores card payments: the probability that one is fraudulent.\n\n"
        f"| metric | value |\n| --- | --- |\n| AUC | {auc} |\n| recall at 1 % false alarms | {recall} |\n\n"
        "Train with `src/train.py`, serve with `src/serve.py`.\n"
    )


def _cell(kind: str, source: str, outputs: list[dict[str, object]] | None = None) -> dict[str, object]:
    lines = source.splitlines(keepends=True)
    if kind == "markdown":
        return {"cell_type": kind, "metadata": {}, "source": lines}
    return {"cell_type": kind, "execution_count": 1, "metadata": {}, "outputs": outputs or [], "source": lines}


NOTEBOOK = (
    json.dumps(
        {
            "cells": [
                _cell("markdown", "# Evaluation\n\nOn the held-out payments, never trained on."),
                _cell(
                    "code",
                    "import pandas as pd\nfrom sklearn.metrics import roc_auc_score\n\n"
                    'frame = pd.read_csv("data/validation.csv")\n'
                    'frame["is_fraud"].mean()',
                    [
                        {
                            "data": {"text/plain": ["0.0667"]},
                            "execution_count": 1,
                            "metadata": {},
                            "output_type": "execute_result",
                        }
                    ],
                ),
                _cell("markdown", "Night-time payments are where the misses are; see the model card."),
            ],
            "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        indent=1,
    )
    + "\n"
)
