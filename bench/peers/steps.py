"""Steps a second of one core: Weir's step beside PyTorch, ONNX Runtime, llama.cpp and candle.

Mamba, d_model 64, d_inner 128, d_state 16, d_conv 4, dt_rank 4, two layers, float32. Peers have
the states of a batch side by side in one tensor, in the cache; token models have a vocabulary
of 32. Each is measured alone, in bursts of some milliseconds, Weir before each of them; the best
burst counts. Needs Go, and optionally cargo (candle).

    python3 -m venv /tmp/peers && . /tmp/peers/bin/activate
    pip install torch onnx onnxruntime gguf
    CMAKE_ARGS=-DGGML_NATIVE=ON pip install llama-cpp-python
    python bench/peers/steps.py
"""

import ctypes
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
import torch
import torch.nn.functional as F

D_MODEL, D_INNER, D_STATE, D_CONV, DT_RANK, N_LAYER, N_INPUT, N_OUTPUT, VOCAB = 64, 128, 16, 4, 4, 2, 12, 11, 32
BATCHES, SECONDS = (1, 256), float(os.environ.get("SECONDS_EACH", "4"))
HERE = pathlib.Path(__file__).resolve().parent


def best_rate(step, batch, seconds=SECONDS):
    """The best of many bursts, in stream-steps a second."""
    for _ in range(3):
        step()
    began = time.perf_counter()
    step()
    burst = max(1, int(2e-3 / (time.perf_counter() - began)))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(burst):
            step()
        best = min(best, (time.perf_counter() - began) / burst)
    return batch / best


class Step(torch.nn.Module):
    """One step of the model, as tight as PyTorch's operators allow."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        par = lambda *shape: torch.nn.Parameter(torch.randn(*shape) / shape[-1] ** 0.5, requires_grad=False)
        ones = lambda n: torch.nn.Parameter(torch.ones(n), requires_grad=False)
        self.enter, self.leave, self.norm_f = par(D_MODEL, N_INPUT), par(N_OUTPUT, D_MODEL), ones(D_MODEL)
        self.layers = torch.nn.ModuleList()
        for _ in range(N_LAYER):
            l = torch.nn.Module()
            l.norm, l.d = ones(D_MODEL), ones(D_INNER)
            l.in_proj, l.conv, l.conv_bias = par(2 * D_INNER, D_MODEL), par(D_INNER, D_CONV), par(1, D_INNER)
            l.x_proj, l.dt_proj, l.dt_bias = par(DT_RANK + 2 * D_STATE, D_INNER), par(D_INNER, DT_RANK), par(1, D_INNER)
            l.a = torch.nn.Parameter(-torch.arange(1.0, D_STATE + 1).repeat(D_INNER, 1), requires_grad=False)
            l.out_proj = par(D_MODEL, D_INNER)
            self.layers.append(l)

    def forward(self, u, convs, hs):
        r = F.linear(u, self.enter)
        for l, conv, h in zip(self.layers, convs, hs):
            x, z = F.linear(F.rms_norm(r, (D_MODEL,), l.norm, 1e-5), l.in_proj).chunk(2, -1)
            conv.copy_(torch.cat((conv[:, :, 1:], x.unsqueeze(-1)), -1))
            x = F.silu((conv * l.conv).sum(-1) + l.conv_bias)
            dt, b, c = F.linear(x, l.x_proj).split((DT_RANK, D_STATE, D_STATE), -1)
            dt = F.softplus(F.linear(dt, l.dt_proj) + l.dt_bias)
            h.copy_(h * torch.exp(dt.unsqueeze(-1) * l.a) + (dt * x).unsqueeze(-1) * b.unsqueeze(1))
            y = (h * c.unsqueeze(1)).sum(-1) + l.d * x
            r = r + F.linear(y * F.silu(z), l.out_proj)
        return F.linear(F.rms_norm(r, (D_MODEL,), self.norm_f, 1e-5), self.leave)


def torch_rates(compiled):
    torch.set_num_threads(1)
    rates = {}
    for batch in BATCHES:
        model = Step()
        u = torch.randn(batch, N_INPUT)
        convs = [torch.zeros(batch, D_INNER, D_CONV) for _ in range(N_LAYER)]
        hs = [torch.zeros(batch, D_INNER, D_STATE) for _ in range(N_LAYER)]
        with torch.inference_mode():
            step = torch.compile(model, dynamic=False) if compiled else model
            rates[batch] = best_rate(lambda: step(u, convs, hs), batch)
    return rates


def onnx_model():
    """The same step as an ONNX graph, the states in and out."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, consts, count = [], [], [0]

    def const(value):
        count[0] += 1
        consts.append(numpy_helper.from_array(np.asarray(value), f"c{count[0]}"))
        return f"c{count[0]}"

    def op(kind, *inputs, outputs=1, out=None, **attributes):
        names = out or [f"{kind}{len(nodes)}_{i}" for i in range(outputs)]
        nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if len(names) == 1 else names

    def norm(x, w):
        mean = op("ReduceMean", op("Mul", x, x), const(np.int64([-1])))
        return op("Mul", op("Div", x, op("Sqrt", op("Add", mean, const(np.float32(1e-5))))), w)

    def silu(x):
        return op("Mul", x, op("Sigmoid", x))

    def split(x, *sizes):
        return op("Split", x, const(np.int64(sizes)), outputs=len(sizes), axis=-1)

    w = {k: v.numpy() for k, v in Step().state_dict().items()}
    last, one = const(np.int64([-1])), const(np.int64([1]))
    r = op("MatMul", "u", const(w["enter"].T.copy()))
    states = []
    for i in range(N_LAYER):
        p = lambda name, turned=False: const(w[f"layers.{i}.{name}"].T.copy() if turned else w[f"layers.{i}.{name}"])
        x, z = split(op("MatMul", norm(r, p("norm")), p("in_proj", True)), D_INNER, D_INNER)
        tail = op("Slice", f"conv{i}", one, const(np.int64([D_CONV])), const(np.int64([2])))
        conv = op("Concat", tail, op("Unsqueeze", x, last), out=[f"conv{i}_next"], axis=2)
        x = silu(op("Add", op("ReduceSum", op("Mul", conv, p("conv")), last, keepdims=0), p("conv_bias")))
        dt, b, c = split(op("MatMul", x, p("x_proj", True)), DT_RANK, D_STATE, D_STATE)
        dt = op("Softplus", op("Add", op("MatMul", dt, p("dt_proj", True)), p("dt_bias")))
        decay = op("Exp", op("Mul", op("Unsqueeze", dt, last), p("a")))
        new = op("Mul", op("Unsqueeze", op("Mul", dt, x), last), op("Unsqueeze", b, one))
        h = op("Add", op("Mul", f"h{i}", decay), new, out=[f"h{i}_next"])
        y = op("Add", op("ReduceSum", op("Mul", h, op("Unsqueeze", c, one)), last, keepdims=0), op("Mul", x, p("d")))
        r = op("Add", r, op("MatMul", op("Mul", y, silu(z)), p("out_proj", True)))
        states += [(f"conv{i}", D_CONV), (f"h{i}", D_STATE)]
    op("MatMul", norm(r, const(w["norm_f"])), const(w["leave"].T.copy()), out=["out"])
    info = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
    graph = helper.make_graph(
        nodes, "step", [info("u", N_INPUT)] + [info(n, D_INNER, k) for n, k in states],
        [info("out", N_OUTPUT)] + [info(n + "_next", D_INNER, k) for n, k in states], consts)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString(), states


def onnx_rates():
    import onnxruntime as ort

    model, states = onnx_model()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rates = {}
    for batch in BATCHES:
        value = lambda *shape: ort.OrtValue.ortvalue_from_numpy(np.zeros((batch, *shape), np.float32))
        sides = [{n: value(D_INNER, k) for n, k in states} for _ in range(2)]  # read from one, written to the other
        u, out, bindings = value(N_INPUT), value(N_OUTPUT), []
        for here, there in (sides, sides[::-1]):
            b = session.io_binding()
            b.bind_ortvalue_input("u", u)
            b.bind_ortvalue_output("out", out)
            for n, _ in states:
                b.bind_ortvalue_input(n, here[n])
                b.bind_ortvalue_output(n + "_next", there[n])
            bindings.append(b)

        def step():
            session.run_with_iobinding(bindings[0])
            session.run_with_iobinding(bindings[1])

        rates[batch] = best_rate(step, 2 * batch)
    return rates


def write_gguf(path):
    import gguf

    w = gguf.GGUFWriter(path, "mamba")
    w.add_context_length(1 << 20)
    w.add_embedding_length(D_MODEL)
    w.add_feed_forward_length(0)
    w.add_head_count(0)
    w.add_block_count(N_LAYER)
    w.add_ssm_conv_kernel(D_CONV)
    w.add_ssm_inner_size(D_INNER)
    w.add_ssm_state_size(D_STATE)
    w.add_ssm_time_step_rank(DT_RANK)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_tokenizer_model("no_vocab")
    w.add_vocab_size(VOCAB)
    rng = np.random.default_rng(1)
    put = lambda name, *shape: w.add_tensor(name, (rng.standard_normal(shape) / shape[-1] ** 0.5).astype(np.float32))
    put("token_embd.weight", VOCAB, D_MODEL)
    put("output_norm.weight", D_MODEL)
    for i in range(N_LAYER):
        b = f"blk.{i}."
        put(b + "attn_norm.weight", D_MODEL)
        put(b + "ssm_in.weight", 2 * D_INNER, D_MODEL)
        put(b + "ssm_conv1d.weight", D_INNER, D_CONV)
        put(b + "ssm_conv1d.bias", D_INNER)
        put(b + "ssm_x.weight", DT_RANK + 2 * D_STATE, D_INNER)
        put(b + "ssm_dt.weight", D_INNER, DT_RANK)
        put(b + "ssm_dt.bias", D_INNER)
        w.add_tensor(b + "ssm_a", np.tile(-np.arange(1, D_STATE + 1, dtype=np.float32), (D_INNER, 1)))
        put(b + "ssm_d", D_INNER)
        put(b + "ssm_out.weight", D_MODEL, D_INNER)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def llama_rates():
    import llama_cpp as ll

    quiet = ll.llama_log_callback(lambda level, text, data: None)
    ll.llama_log_set(quiet, None)
    ll.llama_backend_init()
    rates = {}
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "tiny.gguf")
        write_gguf(path)
        model = ll.llama_model_load_from_file(path.encode(), ll.llama_model_default_params())
        for batch in BATCHES:
            params = ll.llama_context_default_params()
            params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 4096, batch, batch, batch
            params.n_threads = params.n_threads_batch = 1
            ctx = ll.llama_init_from_model(model, params)
            b = ll.llama_batch_init(batch, 0, 1)
            b.n_tokens = batch
            for i in range(batch):
                b.token[i], b.n_seq_id[i], b.seq_id[i][0], b.logits[i] = i % VOCAB, 1, i, 1
            at = 0

            def step():
                nonlocal at
                for i in range(batch):
                    b.pos[i] = at
                at += 1
                if ll.llama_decode(ctx, b):
                    raise RuntimeError("llama_decode failed")

            rates[batch] = best_rate(step, batch)
            ll.llama_batch_free(b)
            ll.llama_free(ctx)
    return rates


def candle_rates():
    env = dict(os.environ, RUSTFLAGS="-C target-cpu=native")
    subprocess.run(["cargo", "build", "--release", "-q"], cwd=HERE / "candle", env=env, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "candle/target"))
    out = subprocess.run([target / "release/peer-candle", str(SECONDS)], env=env, check=True, capture_output=True, text=True)
    return {int(k): v for k, v in json.loads(out.stdout)["steps_per_s"].items()}


def weir_rates(binary):
    out = subprocess.run([binary, "bench", "--json", "--for", f"{SECONDS:g}s"], check=True, capture_output=True, text=True)
    return {s["batch"]: s["steps_per_s"] for s in json.loads(out.stdout)["steps"]
            if s["model"] == "d_model 64" and s["states"] == "cache"}


def main():
    version = importlib.metadata.version
    peers = [
        (f"torch {torch.__version__} eager", lambda: torch_rates(False)),
        (f"onnxruntime {version('onnxruntime')}", onnx_rates),
        (f"llama.cpp of llama-cpp-python {version('llama-cpp-python')}", llama_rates),
        (f"torch {torch.__version__} compiled", lambda: torch_rates(True)),
        ("candle 0.11.1", candle_rates),
    ]
    with tempfile.TemporaryDirectory() as tmp:
        binary = os.path.join(tmp, "weir")
        subprocess.run(["go", "build", "-o", binary, "."], cwd=HERE.parent.parent, check=True)
        weir = dict.fromkeys(BATCHES, 0.0)
        print("| steps/s, one core | batch 1 | Weir, best so far | factor | batch 256 | Weir, best so far | factor |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for name, rates in peers:
            for batch, rate in weir_rates(binary).items():
                weir[batch] = max(weir[batch], rate)
            try:
                r = rates()
            except Exception as e:  # a peer that is not installed leaves the others theirs
                print(f"{name}: not measured: {e}", file=sys.stderr)
                continue
            cells = [f"{r[b]:,.0f} | {weir[b]:,.0f} | {weir[b] / r[b]:.1f}" if b in r else "– | – | –" for b in BATCHES]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
