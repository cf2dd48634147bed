# ruff: noqa: E501
# mypy: ignore-errors
"""Make the zoo anew: small files by the real libraries, and what those libraries say of them in `expected.json`.

    python -m venv /tmp/zoo && /tmp/zoo/bin/pip install torch joblib lz4 onnx gguf safetensors scikit-learn skops lightgbm \\
        xgboost catboost keras ml-dtypes peft transformers diffusers pandas
    /tmp/zoo/bin/python tests/zoo/make.py

The libraries are no dependencies of kittui: the files they wrote are committed, and the tests read those.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import io
import json
import os
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = []
warnings.simplefilter("ignore")


def version(*names: str) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def row(name: str, dtype: str, shape: Any, raw: bytes | None) -> list[Any]:
    """A tensor as the library has it: the digest is of its numbers in C order, None where they are not laid out so."""
    return [name, dtype, [int(size) for size in shape], hashlib.sha256(raw).hexdigest() if raw is not None else None]


def case(path: str, by: str, what: str, form: str | None, tensors: list[list[Any]], **more: Any) -> None:
    CASES.append({"path": path, "by": by, "what": what, "format": form, "tensors": tensors, **more})


def place(path: str) -> Path:
    found = HERE / path
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def torch_files() -> None:
    import torch

    by = version("torch")
    torch.manual_seed(7)
    words = {
        torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
        torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
        torch.complex64: "C64", torch.complex128: "C128", torch.uint16: "U16", torch.uint32: "U32",
        torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.qint8: "I8",
    }  # fmt: skip

    def raw(tensor: Any) -> bytes | None:
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and tensor.is_contiguous()
        if not plain or tensor.is_conj():
            return None
        tensor = tensor.int_repr() if tensor.is_quantized else tensor.detach()
        return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""

    def rows(value: Any, name: str = "") -> list[list[Any]]:
        if isinstance(value, torch.nn.Module):
            value = value.state_dict()
        if isinstance(value, torch.Tensor):
            return [row(name, words[value.dtype], value.shape, raw(value))]
        found = []
        pairs = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list | tuple | set)
            else ()
        )
        for key, child in pairs:
            found += rows(child, f"{name}.{key}" if name else str(key))
        return found

    class Sub(torch.Tensor):
        pass

    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    base = torch.randn(4, 6)
    tagged = torch.randn(3)
    tagged.tag = "x"
    tied = torch.nn.Parameter(torch.randn(5, 2))
    kinds = {
        "plain": base, "view": base[1:3], "transposed": base.t(), "strided": base[:, ::2],
        "scalar": torch.tensor(3.0), "empty": torch.zeros(0, 5), "bool": torch.tensor([True, False]),
        "bf16": torch.randn(4).to(torch.bfloat16), "half": torch.randn(4).half(),
        "c64": torch.randn(3, dtype=torch.complex64), "c128": torch.randn(2, dtype=torch.complex128),
        "u16": torch.arange(5).to(torch.uint16), "u32": torch.arange(5).to(torch.uint32),
        "f8": torch.randn(6).to(torch.float8_e4m3fn), "f8b": torch.randn(6).to(torch.float8_e5m2),
        "tagged": tagged, "subclass": torch.randn(5).as_subclass(Sub), "parameter": torch.nn.Parameter(torch.randn(2)),
        "sparse": torch.eye(4).to_sparse(), "csr": torch.eye(4).to_sparse_csr(),
        "q": torch.quantize_per_tensor(torch.randn(6), 0.1, 0, torch.qint8),
        "qc": torch.quantize_per_channel(torch.randn(2, 3), torch.tensor([0.1, 0.2]), torch.tensor([0, 0]), 0, torch.qint8),
        "meta": torch.empty(7, 2, device="meta"), "conj": torch.randn(3, dtype=torch.complex64).conj(),
        "set": {torch.zeros(1)}, "list": [torch.ones(2), (torch.ones(3),)],
    }  # fmt: skip
    sys.modules["__main__"].Sub = Sub
    Sub.__qualname__ = "Sub"
    for path, what, value, how in [
        ("torch/state.pt", "state_dict", net.state_dict(), {}),
        (
            "torch/state-legacy.pt",
            "state_dict, before 1.6",
            net.state_dict(),
            {"_use_new_zipfile_serialization": False},
        ),
        ("torch/kinds.pt", "every kind of tensor", kinds, {}),
        ("torch/kinds-legacy.pt", "every kind of tensor, before 1.6", kinds, {"_use_new_zipfile_serialization": False}),
        ("torch/module.pt", "a whole module", net, {}),
        ("torch/tied.pt", "tied weights", {"a.weight": tied, "b.weight": tied, "group": [{"x": base}] * 2}, {}),
    ]:
        torch.save(value, place(path), **how)
        imports = {"torch/kinds.pt": ["__main__.Sub"], "torch/kinds-legacy.pt": ["__main__.Sub"]}.get(path, [])
        if path == "torch/module.pt":
            imports = [
                "torch.nn.modules.container.Sequential", "torch.nn.modules.linear.Linear",
                "torch.nn.modules.batchnorm.BatchNorm1d",
            ]  # fmt: skip
        case(path, by, what, "pytorch", rows(value), imports=imports)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    value = {"epoch": 3, "model": net.state_dict(), "optimizer": optimizer.state_dict(), "loss": 0.5}
    torch.save(value, place("torch/checkpoint.ckpt"))
    case("torch/checkpoint.ckpt", by, "training checkpoint with optimizer", "pytorch", rows(value), imports=[])
    for number, part in enumerate(({"a.weight": torch.ones(2, 3)}, {"b.weight": torch.ones(4)}), 1):
        path = f"torch/sharded/pytorch_model-{number:05}-of-00002.bin"
        torch.save(part, place(path))
        case(path, by, "shard of a model", "pytorch", rows(part), imports=[])
    place("torch/sharded/pytorch_model.bin.index.json").write_text(json.dumps({
        "metadata": {"total_size": 40},
        "weight_map": {f"{name}.weight": f"pytorch_model-{n:05}-of-00002.bin" for n, name in ((1, "a"), (2, "b"))},
    }))  # fmt: skip

    class Scripted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(3, 2)
            self.register_buffer("steps", torch.arange(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) + torch.ones(2) * self.steps[0]

    scripted = torch.jit.script(Scripted().eval())
    scripted.save(str(place("torch/script.pt")))
    case("torch/script.pt", by, "TorchScript", "pytorch", rows(scripted.state_dict()), imports=[])
    frozen = torch.jit.freeze(torch.jit.script(Scripted().eval()))
    frozen.save(str(place("torch/frozen.pt")))
    constants = [
        row(f"constants.{n}", words[one.dtype], one.shape, raw(one))
        for n, one in enumerate(frozen.code_with_constants[1].const_mapping.values())
    ]
    case("torch/frozen.pt", by, "TorchScript, frozen: weights are constants", "pytorch", constants, imports=[])


def numpy_files() -> None:
    by = version("numpy")
    words = {"f4": "F32", "f8": "F64", "f2": "F16", "i8": "I64", "i4": "I32", "u1": "U8", "b1": "BOOL", "c8": "C64"}
    for name, array, what in [
        ("f4", np.arange(6, dtype="<f4").reshape(2, 3), "float32"),
        ("big-endian", np.arange(6, dtype=">f4"), "float32, big-endian"),
        ("columns-first", np.asfortranarray(np.arange(6.0).reshape(2, 3)), "Fortran order"),
        ("scalar", np.array(3.5), "no dimension"),
        ("empty", np.zeros((0, 4)), "no number"),
    ]:
        np.save(place(f"numpy/{name}.npy"), array)
        dtype = (">" if array.dtype.byteorder == ">" else "") + words[array.dtype.str[1:]]
        raw = array.tobytes() if array.flags.c_contiguous else None
        case(f"numpy/{name}.npy", by, what, "npy", [row("array", dtype, array.shape, raw)])
    structured = np.zeros(3, dtype=[("a", "<f4"), ("b", "<i8", (2,))])
    np.save(place("numpy/structured.npy"), structured)
    case("numpy/structured.npy", by, "fields", "npy", [row("array", "2 fields", (3,), structured.tobytes())])
    np.save(place("numpy/words.npy"), np.array(["ab", "cde"]))
    case("numpy/words.npy", by, "texts", "npy", [row("array", "<U3", (2,), np.array(["ab", "cde"]).tobytes())])
    np.save(place("numpy/objects.npy"), np.array([1, "a", None], dtype=object), allow_pickle=True)
    case("numpy/objects.npy", by, "objects, pickled", "npy", [row("array", "OBJECT", (3,), None)], imports=[], marked=1)
    arrays = {"w": np.arange(6, dtype="<f4").reshape(2, 3), "n/b": np.arange(3), "yes": np.array([True, False])}
    rows = [row(name, words[one.dtype.str[1:]], one.shape, one.tobytes()) for name, one in arrays.items()]
    np.savez(place("numpy/arrays.npz"), **arrays)
    case("numpy/arrays.npz", by, "several arrays", "npz", rows)
    np.savez_compressed(place("numpy/deflated.npz"), **arrays)
    case("numpy/deflated.npz", by, "several arrays, compressed", "npz", [[*one[:3], None] for one in rows])
    for protocol in (2, 4, 5):
        path = f"numpy/protocol-{protocol}.pkl"
        place(path).write_bytes(
            pickle.dumps({"w": np.arange(5000, dtype="<f4"), "b": [np.arange(3, dtype="<i4")]}, protocol)
        )
        big = np.arange(5000, dtype="<f4")
        found = [row("w", "F32", (5000,), None if protocol == 2 else big.tobytes()), row("b.0", "I32", (3,), None)]
        case(path, by, f"arrays in a pickle, protocol {protocol}", "pickle", found, imports=[])


def sklearn_files() -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    by = version("joblib", "scikit-learn", "numpy")
    x = np.random.default_rng(0).normal(size=(40, 4))
    model = LogisticRegression().fit(x, x[:, 0] > 0)
    module = "sklearn.linear_model._logistic.LogisticRegression"
    value = {
        "model": model,
        "mean": x.mean(axis=0),
        "classes": np.array(["a", "b"], dtype=object),
        "big": np.arange(9000.0),
    }

    def rows(plain: bool) -> list[list[Any]]:
        found = []
        for name, array in [
            ("model.classes_", model.classes_), ("model.coef_", model.coef_), ("model.intercept_", model.intercept_),
            ("mean", value["mean"]), ("big", value["big"]),
        ]:  # fmt: skip
            dtype = {"f8": "F64", "b1": "BOOL"}[array.dtype.str[1:]]
            found.append(row(name, dtype, array.shape, array.tobytes() if plain else None))
        iterations = model.n_iter_
        found.insert(3, row("model.n_iter_", "I32", iterations.shape, iterations.tobytes() if plain else None))
        found.insert(5, row("classes", "OBJECT", (2,), None))
        return found

    for name, compress, what in [
        ("plain", 0, "not compressed"), ("zlib", 3, "zlib"), ("gzip", ("gzip", 3), "gzip"), ("bz2", ("bz2", 3), "bz2"),
        ("xz", ("xz", 3), "xz"), ("lzma", ("lzma", 3), "lzma"), ("lz4", ("lz4", 3), "lz4"),
    ]:  # fmt: skip
        path = f"joblib/{name}.joblib"
        joblib.dump(value, place(path), compress=compress)
        case(
            path, by, f"scikit-learn model and arrays, {what}", "pickle", rows(not compress), imports=[module], marked=1
        )
    path = "sklearn/model.pkl.gz"
    place(path).write_bytes(gzip.compress(pickle.dumps(model), mtime=0))
    case(path, by, "scikit-learn model, gzipped", None, [], imports=[module])
    import skops.io

    skops.io.dump(model, place("skops/model.skops"))
    case("skops/model.skops", version("skops"), "scikit-learn model", "skops", [], arrays=4)


def onnx_files() -> None:
    import onnx
    from onnx import TensorProto as T
    from onnx import helper as h
    from onnx import numpy_helper as nh

    by = version("onnx")
    rng = np.random.default_rng(1)

    def f(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    def info(name: str, kind: int = T.FLOAT, shape: Any = (None,)) -> Any:
        return h.make_tensor_value_info(name, kind, shape)

    def save(name: str, what: str, model: Any, rows: list[list[Any]], **more: Any) -> None:
        how = more.pop("how", {})
        onnx.save(model, str(place(f"onnx/{name}.onnx")), **how)
        case(f"onnx/{name}.onnx", by, what, "onnx", rows, **more)

    def branch(name: str, w: Any) -> Any:
        return h.make_graph(
            [h.make_node("Identity", [name], ["o_" + name])],
            "g_" + name,
            [],
            [info("o_" + name)],
            [nh.from_array(w, name)],
        )

    then, other, top = f(4, 4), f(4, 4), f(3)
    node = h.make_node(
        "If", ["c"], ["y"], then_branch=branch("then.weight", then), else_branch=branch("else.weight", other)
    )
    graph = h.make_graph([node], "merged", [info("c", T.BOOL, ())], [info("y")], [nh.from_array(top, "top")])
    save("if", "weights in the branches of If", h.make_model(graph), [
        row("top", "F32", (3,), top.tobytes()), row("If.then_branch/then.weight", "F32", (4, 4), then.tobytes()),
        row("If.else_branch/else.weight", "F32", (4, 4), other.tobytes()),
    ])  # fmt: skip
    k = f(8, 2)
    graph = h.make_graph(
        [
            h.make_node("Constant", [], ["k.weight"], value=nh.from_array(k)),
            h.make_node("MatMul", ["x", "k.weight"], ["y"]),
        ],
        "constants",
        [info("x")],
        [info("y")],
        [],
    )
    save("constant", "Constant nodes", h.make_model(graph), [row("k.weight", "F32", (8, 2), k.tobytes())])
    values, places = np.array([1.5, 2.5], np.float32), np.array([3, 9], np.int64)
    sparse = h.make_sparse_tensor(nh.from_array(values, "sparse.weight"), nh.from_array(places), [4, 4])
    graph = h.make_graph(
        [h.make_node("MatMul", ["x", "sparse.weight"], ["y"])],
        "sparse",
        [info("x")],
        [info("y")],
        [],
        sparse_initializer=[sparse],
    )
    save("sparse", "sparse initializer: values and indices", h.make_model(graph), [
        row("sparse.weight", "F32", (2,), values.tobytes()), row("sparse.weight.indices", "I64", (2,), places.tobytes()),
    ])  # fmt: skip
    place("onnx/external.onnx.data").unlink(missing_ok=True)  # onnx would write after what is there
    w1, w2 = f(8, 8), f(8, 8)
    graph = h.make_graph(
        [h.make_node("MatMul", ["x", "w1"], ["t"]), h.make_node("MatMul", ["t", "w2"], ["y"])],
        "ext",
        [info("x")],
        [info("y")],
        [nh.from_array(w1, "w1"), nh.from_array(w2, "w2")],
    )
    save("external", "external data", h.make_model(graph), [row("w1", "F32", (8, 8), w1.tobytes()), row("w2", "F32", (8, 8), w2.tobytes())], how={
        "save_as_external_data": True, "all_tensors_to_one_file": True, "location": "external.onnx.data", "size_threshold": 0,
    })  # fmt: skip
    place("onnx/external.onnx.data").chmod(0o644)
    typed = [
        h.make_tensor("packed", T.FLOAT, [4], [1, 2, 3, 4]),
        h.make_tensor("long", T.INT64, [2], [5, -6]),
        h.make_tensor("texts", T.STRING, [2], [b"a", b"b"]),
        h.make_tensor("int4", T.INT4, [3], [1, -2, 3]),
    ]
    graph = h.make_graph([h.make_node("Identity", ["packed"], ["y"])], "typed", [], [info("y")], typed)
    save("typed", "numbers written one by one", h.make_model(graph), [
        row("packed", "F32", (4,), np.array([1, 2, 3, 4], "<f4").tobytes()), row("long", "I64", (2,), None),
        row("texts", "STRING", (2,), None), row("int4", "I4", (3,), None),
    ])  # fmt: skip
    inner = h.make_node("Constant", [], ["w"], value=nh.from_array(k))
    function = h.make_function(
        "own", "Scale", ["x"], ["y"], [inner, h.make_node("MatMul", ["x", "w"], ["y"])], [h.make_opsetid("", 18)]
    )
    graph = h.make_graph([h.make_node("Scale", ["x"], ["y"], domain="own")], "f", [info("x")], [info("y")], [])
    model = h.make_model(graph, functions=[function], opset_imports=[h.make_opsetid("", 18), h.make_opsetid("own", 1)])
    save("function", "weights in a function", model, [row("function Scale/w", "F32", (8, 2), k.tobytes())])
    trees = h.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        name="trees",
        nodes_values=[float(n) for n in range(40)],
        nodes_treeids=list(range(40)),
        n_targets=1,
    )
    graph = h.make_graph([trees], "trees", [info("x")], [info("y")], [])
    save("trees", "a tree ensemble's attributes", h.make_model(graph, opset_imports=[h.make_opsetid("ai.onnx.ml", 3)]), [
        row("trees.nodes_treeids", "I64", (40,), None), row("trees.nodes_values", "F32", (40,), None),
    ])  # fmt: skip
    graph = h.make_graph([h.make_node("Relu", ["x"], ["y"])], "nothing", [info("x")], [info("y")], [])
    save("no-weights", "no weights at all", h.make_model(graph), [], note="no weights are in it")


def gguf_files() -> None:
    import gguf

    by = version("gguf")
    rng = np.random.default_rng(2)
    w, q = rng.normal(size=(3, 32)).astype(np.float32), rng.integers(0, 255, (4, 34), dtype=np.uint8)

    def write(path: str, **how: Any) -> None:
        writer = gguf.GGUFWriter(place(path), "llama", **how)
        writer.add_token_list([f"token{n}" for n in range(300)])
        writer.add_token_types([3] * 300)
        writer.add_token_scores([float(n) for n in range(300)])
        writer.add_float32("llama.rope.freq_base", 10000.0)
        writer.add_tensor("blk.0.weight", w.copy())
        writer.add_tensor("blk.1.weight", w.astype(np.float16))
        if "endianess" not in how:
            writer.add_tensor("blk.2.weight", q, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    rows = [
        row("blk.0.weight", "F32", (32, 3), w.tobytes()),
        row("blk.1.weight", "F16", (32, 3), w.astype(np.float16).tobytes()),
    ]
    quantised = row("blk.2.weight", "Q8_0", (32, 4), q.tobytes())
    write("gguf/tiny.gguf")
    case("gguf/tiny.gguf", by, "tensors and a tokenizer", "gguf", [*rows, quantised])
    write("gguf/big-endian.gguf", endianess=gguf.GGUFEndian.BIG)
    turned = [
        row(one[0], ">" + one[1], one[2], w.astype(kind).tobytes())
        for one, kind in zip(rows, (">f4", ">f2"), strict=True)
    ]
    case("gguf/big-endian.gguf", by, "big-endian", "gguf", turned)
    write("gguf/split/tiny.gguf", split_max_tensors=1)
    for n, one in enumerate([*rows, quantised], 1):
        case(f"gguf/split/tiny-{n:05}-of-00003.gguf", by, "one of three files", "gguf", [one])


def safetensors_files() -> None:
    import ml_dtypes
    from safetensors.numpy import save_file

    by = version("safetensors")
    arrays = {
        "a": np.arange(6, dtype="<f4").reshape(2, 3), "b": np.arange(4).astype(ml_dtypes.bfloat16),
        "c": np.zeros((0, 3), "<i8"), "d": np.arange(4).astype(ml_dtypes.float8_e4m3fn), "e": np.array([True, False]),
    }  # fmt: skip
    words = {"a": "F32", "b": "BF16", "c": "I64", "d": "F8_E4M3", "e": "BOOL"}
    save_file(arrays, place("safetensors/model.safetensors"), {"format": "pt"})
    rows = [row(name, words[name], one.shape, one.tobytes()) for name, one in arrays.items()]
    case("safetensors/model.safetensors", by, "every kind of number", "safetensors", rows)


def adapters() -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.numpy import load_file

    torch.manual_seed(3)
    net = torch.nn.Sequential()
    net.add_module("query", torch.nn.Linear(8, 8))
    get_peft_model(net, LoraConfig(target_modules=["query"], r=2)).save_pretrained(place("peft/x").parent)
    path = "peft/adapter_model.safetensors"
    place("peft/README.md").unlink(missing_ok=True)
    rows = [row(name, "F32", one.shape, one.tobytes()) for name, one in load_file(place(path)).items()]
    case(path, version("peft"), "LoRA adapter", "safetensors", rows)
    from diffusers import UNet2DModel

    unet = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(4,),
        norm_num_groups=2,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        add_attention=False,
    )
    unet.save_pretrained(place("diffusers/unet/x").parent)
    path = "diffusers/unet/diffusion_pytorch_model.safetensors"
    rows = [row(name, "F32", one.shape, one.tobytes()) for name, one in load_file(place(path)).items()]
    case(path, version("diffusers"), "UNet of a diffusers folder", "safetensors", rows)


def boosters() -> None:
    import lightgbm
    import xgboost
    from catboost import CatBoostRegressor

    x = np.random.default_rng(4).normal(size=(60, 3))
    y = x[:, 0]
    lightgbm.train({"num_leaves": 4, "verbose": -1}, lightgbm.Dataset(x, y), 2).save_model(
        str(place("boosters/lightgbm.txt"))
    )
    case("boosters/lightgbm.txt", version("lightgbm"), "LightGBM's text", None, [], unread="a text: shown as one")
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(x, y), 2)
    for ending in ("json", "ubj"):
        booster.save_model(str(place(f"boosters/xgboost.{ending}")))
    case("boosters/xgboost.json", version("xgboost"), "XGBoost's JSON", None, [], unread="JSON: shown as text")
    case(
        "boosters/xgboost.ubj",
        version("xgboost"),
        "XGBoost's UBJSON",
        "xgboost",
        [["(all of it)", "?", [], None]],
        marked=1,
    )
    CatBoostRegressor(iterations=2, depth=2, verbose=False, allow_writing_files=False).fit(x, y).save_model(
        str(place("boosters/catboost.cbm"))
    )
    case(
        "boosters/catboost.cbm", version("catboost"), "CatBoost", "catboost", [["(all of it)", "?", [], None]], marked=1
    )


def hdf5_rows(path: Path, member: str = "") -> list[list[Any]]:
    """The datasets as h5py has them; digests of those that lie in one piece."""
    import h5py

    words = {"f": "F", "i": "I", "u": "U", "c": "C"}
    content: Any = path
    if member:
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read(member))
    found = []

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        kind = item.dtype
        placed = item.id.get_offset() is not None and item.size
        if kind.kind == "b":
            word = "BOOL"
        elif kind.kind in words:
            word = f"{'>' if kind.byteorder == '>' else ''}{words[kind.kind]}{kind.itemsize * 8}"
        else:
            word, placed = "VLEN STR" if kind.kind == "O" else f"STR{kind.itemsize}", False
        found.append(row(name, word, item.shape, item[()].tobytes() if placed else None))

    with h5py.File(content) as file:
        file.visititems(visit)
    return found


def keras_files() -> None:
    import keras

    by = version("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d")])
    odd = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(place("keras/model.keras"))
    model.save_weights(place("keras/model.weights.h5"))
    model.save(place("keras/legacy.h5"))
    odd.save(place("keras/lambda.keras"))
    odd.save(place("keras/lambda.h5"))
    keras_cases(by)


def keras_cases(by: str) -> None:
    inside = "model.weights.h5"
    case("keras/model.keras", by, "Keras 3", "keras", hdf5_rows(HERE / "keras/model.keras", inside))
    case("keras/model.weights.h5", by, "Keras 3's weights", "hdf5", hdf5_rows(HERE / "keras/model.weights.h5"))
    case("keras/legacy.h5", by, "a model in HDF5", "hdf5", hdf5_rows(HERE / "keras/legacy.h5"), imports=[])
    lambdas = "keras/lambda.keras"
    case(lambdas, by, "Keras 3 with a Lambda layer", "keras", hdf5_rows(HERE / lambdas, inside), code=True)
    case("keras/lambda.h5", by, "a model in HDF5 with a Lambda layer", "hdf5", hdf5_rows(HERE / "keras/lambda.h5"),
         code=True)  # fmt: skip


def hdf5_files() -> None:
    import h5py

    rng = np.random.default_rng(7)
    for name, options in (("groups", {}), ("latest", {"libver": "latest"})):
        with h5py.File(place(f"hdf5/{name}.h5"), "w", **options) as file:
            file.attrs["epochs"], file.attrs["rate"], file.attrs["words"] = 5, 0.5, ["one", "two"]
            group = file.create_group("layers/dense")
            group.create_dataset("weight", data=rng.random((3, 4), dtype="f4"))
            group.create_dataset("turned", data=np.arange(5, dtype=">i2"))
            group.create_dataset("flags", data=np.array([True, False]))
            group.create_dataset("complex", data=np.array([1 + 2j]))
            file.create_dataset("chunked", data=rng.random((40, 3)), chunks=(10, 3), compression="gzip")
            file.create_dataset("scalar", data=np.float16(3))
            file.create_dataset("text", data="hello")
            file.create_dataset("fixed", data=np.array([b"abc", b"d"]))
            file.create_dataset("none", shape=(0, 3), dtype="f4")
            many = file.create_group("many")
            for number in range(300):
                many.create_dataset(f"p{number:03}", data=np.full(2, number, dtype="f4"))
        case(f"hdf5/{name}.h5", version("h5py"), f"HDF5, {name}", "hdf5", hdf5_rows(HERE / f"hdf5/{name}.h5"))


def tensorflow_case() -> None:
    """The index of the SavedModel in basic-pitch 0.4.0's wheel, as it is there: 74 variables with their optimizer's."""
    case("tensorflow/variables.index", "tensorflow 2", "a SavedModel's variables", "tensorflow", [], arrays=74)


def main() -> None:
    for make in (
        torch_files,
        numpy_files,
        sklearn_files,
        onnx_files,
        gguf_files,
        safetensors_files,
        adapters,
        boosters,
        keras_files,
        hdf5_files,
        tensorflow_case,
    ):
        make()
    (HERE / "expected.json").write_text(json.dumps(CASES, indent=1) + "\n")
    total = sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file())
    print(f"{len(CASES)} files, {total / 1e6:.2f} MB in all")


if __name__ == "__main__":
    main()
