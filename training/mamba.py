"""A Mamba event model, with its tensors named as transformers' MambaForCausalLM names them."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from scan import scan


def fused(f):
    """Compile f into few kernels for training on a GPU, where its memory is what such a function waits for."""
    if not torch.cuda.is_available():
        return f
    compiled = torch.compile(f, dynamic=False)
    return lambda *args: (compiled if torch.is_grad_enabled() else f)(*args)


@fused
def normed(x, weight, eps: float):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


@fused
def convolved(x, w, bias):
    """Causal depthwise convolution, w (d_inner, d_conv), and SiLU."""
    padded = F.pad(x, (0, 0, w.shape[1] - 1, 0))
    return F.silu(bias + sum(padded[:, k : k + x.shape[1]] * w[:, k] for k in range(w.shape[1])))


@fused
def steps(dt, gap):
    return F.softplus(dt) * gap[..., None]


@fused
def gated(y, x, skip, z):
    return (y + x * skip) * F.silu(z)


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return normed(x, self.weight, self.eps)


class Mixer(nn.Module):
    """in_proj, causal depthwise convolution, selective scan, gate, out_proj."""

    def __init__(self, d_model: int, d_inner: int, d_state: int, d_conv: int, dt_rank: int, selective: bool):
        super().__init__()
        self.dt_rank, self.d_state, self.selective = dt_rank, d_state, selective
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(d_inner, d_inner, d_conv, groups=d_inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(d_inner, dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_inner)
        self.out_proj = nn.Linear(d_inner, d_model, bias=False)
        # S4D-Real: A = -1, -2, … in every channel.
        self.A_log = nn.Parameter(torch.arange(1, d_state + 1).float().log().repeat(d_inner, 1))
        self.D = nn.Parameter(torch.ones(d_inner))
        # Δ starts log-uniform in 0.001 … 0.1: memories of ten to a thousand events.
        dt = torch.exp(torch.rand(d_inner) * math.log(100) + math.log(1e-3))
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
            nn.init.uniform_(self.dt_proj.weight, -(dt_rank**-0.5), dt_rank**-0.5)
            self.hold()

    def hold(self):
        """Keep B, C and Δ of a mixer that is not selective from depending on the input.

        Its last channel carries the constant silu(1), which is all that x_proj reads: time-invariant in the
        published format.
        """
        if not self.selective:
            self.conv1d.weight[-1] = 0
            self.conv1d.bias[-1] = 1
            self.x_proj.weight[:, :-1] = 0

    def forward(self, x, gap):
        """x: (batch, length, d_model); gap: (batch, length), multiplies Δ."""
        x, z = self.in_proj(x).chunk(2, -1)
        x = convolved(x, self.conv1d.weight[:, 0], self.conv1d.bias)
        dt, b, c = self.x_proj(x).split([self.dt_rank, self.d_state, self.d_state], -1)
        delta = steps(self.dt_proj(dt), gap)
        y = scan(x, delta, -torch.exp(self.A_log), b, c)
        return self.out_proj(gated(y, x, self.D, z))


class Block(nn.Module):
    def __init__(self, d_model: int, *sizes: int):
        super().__init__()
        self.norm, self.mixer = RMSNorm(d_model), Mixer(d_model, *sizes)

    def forward(self, x, gap):
        return x + self.mixer(self.norm(x), gap)


class Backbone(nn.Module):
    def __init__(self, n_layer: int, d_model: int, *sizes: int):
        super().__init__()
        self.layers = nn.ModuleList(Block(d_model, *sizes) for _ in range(n_layer))
        self.norm_f = RMSNorm(d_model)


class EventModel(nn.Module):
    """Linear input, Mamba blocks, norm, linear head: (batch, length, n_input) to (batch, length, n_output)."""

    def __init__(
        self, n_input: int, n_output: int, d_model=64, n_layer=3, d_state=8, d_conv=4, expand=1, dt_rank=2, selective=True
    ):
        super().__init__()
        self.backbone = Backbone(n_layer, d_model, expand * d_model, d_state, d_conv, dt_rank, selective)
        self.weir = nn.ModuleDict({"input": nn.Linear(n_input, d_model), "head": nn.Linear(d_model, n_output)})
        self.config = {
            "architectures": ["MambaForCausalLM"],
            "model_type": "mamba",
            "hidden_size": d_model,
            "intermediate_size": expand * d_model,
            "expand": expand,
            "state_size": d_state,
            "conv_kernel": d_conv,
            "time_step_rank": dt_rank,
            "num_hidden_layers": n_layer,
            "hidden_act": "silu",
            "layer_norm_epsilon": 1e-5,
            "use_bias": False,
            "use_conv_bias": True,
            "dtype": "float32",
        }

    @torch.no_grad()
    def hold(self):
        for layer in self.backbone.layers:
            layer.mixer.hold()

    def forward(self, x, gap):
        x = self.weir["input"](x)
        for layer in self.backbone.layers:
            x = layer(x, gap)
        return self.weir["head"](self.backbone.norm_f(x))
