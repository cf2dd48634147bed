"""A support bot: a GGUF language model with an adapter, prompts, infrastructure code and conversations to tune with."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.demo.kits import Files, Index, Kit, kit
from tests.demo.weights import Dtype, GgufValue, gguf, safetensors, tensor

_WORDS = ("how", "can", "i", "help", "you", "with", "your", "order", "card", "refund")
_TOKENS = ["<unk>", "<s>", "</s>", *(f"▁{word}" for word in _WORDS)]
_EMBEDDING, _VOCABULARY = 64, 64
_FILE_TYPES: dict[Dtype, int] = {"F16": 1, "Q4_0": 2, "Q8_0": 7}

_SYSTEM = """You are Acme's support assistant.

- Answer from the order and the policy you are given, and say so when they do not tell.
- Never ask for card numbers, passwords or codes.
- {tone}
- Hand over to a person when asked to, or after two answers that did not help.
"""

_TERRAFORM = """terraform {
  required_version = ">= 1.6"
}

variable "modelkit" {
  type    = string
  default = "registry.acme.example/acme/support-bot:champion"
}

resource "kubernetes_deployment" "bot" {
  metadata { name = "support-bot" }
  spec {
    replicas = 2
    template {
      spec {
        container {
          name  = "llama"
          image = "registry.acme.example/llama-server:b4600"
          args  = ["--model", "/model/support.gguf", "--lora", "/model/tone.safetensors"]
        }
      }
    }
  }
}
"""


def _model(dtype: Dtype = "Q8_0") -> bytes:
    """A GGUF of the llama architecture: every part of one, very small."""
    vocabulary = [*_TOKENS, *(f"<0x{code:02X}>" for code in range(_VOCABULARY - len(_TOKENS)))]
    metadata: dict[str, GgufValue] = {
        "general.architecture": "llama",
        "general.name": "Acme Support 0.1M",
        "general.license": "apache-2.0",
        "general.file_type": _FILE_TYPES[dtype],
        "llama.context_length": 2048,
        "llama.embedding_length": _EMBEDDING,
        "llama.block_count": 1,
        "llama.feed_forward_length": 128,
        "llama.attention.head_count": 4,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": vocabulary,
        "tokenizer.ggml.scores": [-float(position) for position in range(_VOCABULARY)],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.add_bos_token": True,
        "quantize.imatrix.file": "none",
    }
    weights = {"token_embd.weight": tensor("embd", _VOCABULARY, _EMBEDDING, dtype="F16")}
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        weights[f"blk.0.{part}.weight"] = tensor(part, _EMBEDDING, _EMBEDDING, dtype=dtype)
    weights["blk.0.ffn_up.weight"] = tensor("up", 128, _EMBEDDING, dtype=dtype)
    weights["blk.0.ffn_gate.weight"] = tensor("gate", 128, _EMBEDDING, dtype=dtype)
    weights["blk.0.ffn_down.weight"] = tensor("down", _EMBEDDING, 128, dtype=dtype)
    weights["blk.0.attn_norm.weight"] = tensor("norm", _EMBEDDING)
    weights["output_norm.weight"] = tensor("output-norm", _EMBEDDING)
    return gguf(metadata, weights)


def _conversations(count: int) -> str:
    asks = ("Where is my order?", "I was charged twice.", "How do I return this?", "Can I change the address?")
    answers = (
        "It left the warehouse today and arrives on Thursday.",
        "I see two charges; the second is reversed by tomorrow.",
        "Print the label from your order page; collection is free.",
        "Yes, until it has left the warehouse. Which one is right?",
    )
    return "".join(
        json.dumps(
            {
                "id": f"c{number:04d}",
                "messages": [
                    {"role": "user", "content": asks[number % 4]},
                    {"role": "assistant", "content": answers[number % 4]},
                ],
            }
        )
        + "\n"
        for number in range(count)
    )


def _version(version: str, tags: str, created: str, tone: str, conversations: int) -> Kit:
    adapter = {
        "blk.0.attn_q.lora_a": tensor(f"a-{version}", 8, _EMBEDDING),
        "blk.0.attn_q.lora_b": tensor(f"b-{version}", _EMBEDDING, 8),
    }
    files: Files = {
        "model/support.gguf": _model(),
        "model/tone.safetensors": safetensors(adapter, {"rank": "8", "alpha": "16", "version": version}),
        "prompts/system.md": _SYSTEM.format(tone=tone),
        "prompts/handover.md": "Summarise the conversation in three sentences for the person who takes over.\n",
        "infra/main.tf": _TERRAFORM,
        "data/conversations.jsonl": _conversations(conversations),
        "README.md": f"# Support bot {version}\n\nAnswers what customers ask most.\n",
    }
    kitfile = {
        "package": {
            "name": "support-bot",
            "version": version,
            "description": "Answers customers' questions about their orders",
            "license": "Apache-2.0",
            "authors": ["Service AI"],
        },
        "model": {
            "name": "acme-support",
            "path": "model/support.gguf",
            "framework": "llama.cpp",
            "format": "gguf",
            "version": version,
            "parts": [{"name": "tone", "path": "model/tone.safetensors", "type": "lora"}],
            "parameters": {"temperature": 0.2, "top_p": 0.9, "context": 2048, "quantisation": "Q8_0"},
        },
        "code": [
            {"path": "prompts", "description": "Prompts, as they are sent"},
            {"path": "infra", "description": "Terraform"},
        ],
        "datasets": [{"name": "conversations", "path": "data/conversations.jsonl", "description": "Reviewed answers"}],
        "docs": [{"path": "README.md"}],
    }
    return kit("acme/support-bot", tags, created, kitfile, files)


def _variant(dtype: Dtype) -> Kit:
    """The model alone in another quantisation, which has no tag: the index leads to it."""
    kitfile = {
        "package": {"name": "support-bot", "version": "3.1.0", "license": "Apache-2.0", "authors": ["Service AI"]},
        "model": {
            "name": "acme-support",
            "path": "model/support.gguf",
            "framework": "llama.cpp",
            "format": "gguf",
            "version": "3.1.0",
            "parameters": {"quantisation": dtype},
        },
    }
    return kit("acme/support-bot", "", "2026-11-10", kitfile, {"model/support.gguf": _model(dtype)})


def indexes(made: Sequence[Kit]) -> list[Index]:
    """The quantisations of the version under test, to choose one that fits the machine."""
    found = {kit.packed.descriptor.digest: kit for kit in made if kit.repository == "acme/support-bot"}
    newest = next(kit for kit in found.values() if "challenger" in kit.tags)
    labels = (("f16", "4GB"), ("q8_0", "2GB"), ("q4_0", "1GB"))
    chosen = (_variant("F16"), newest, _variant("Q4_0"))
    entries = [(one, {"quantization": name, "vram": vram}) for one, (name, vram) in zip(chosen, labels, strict=True)]
    return [Index("acme/support-bot", "variants", tuple(entries))]


def kits() -> list[Kit]:
    """The model stays; adapter, system prompt and conversations move on."""
    return [
        _version("3.0.0", "v3.0.0 champion", "2026-08-11", "Be brief and factual.", 80),
        _version("3.1.0", "v3.1.0 challenger", "2026-11-09", "Be brief, warm and factual; use the first name.", 100),
    ]
