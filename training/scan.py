"""The selective scan h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t, y_t = C_t h_t, and its gradients.

Mamba (Gu and Dao, 2023), equations 2a, 2b and 4, with B discretised as ΔB. On a GPU one program walks one
sequence with its whole state (d_inner, d_state) in registers; the forward pass stores the states, since they
fit the memory of a large GPU, and the backward pass reads them in reverse.
"""

import torch

try:
    import triton
    import triton.language as tl
except ImportError:  # without a GPU: scan_loop alone
    triton = None


def scan_loop(u, delta, a, b, c):
    """Return y (batch, length, d_inner), one step after the other; the reference for scan.

    u, delta: (batch, length, d_inner); a: (d_inner, d_state); b, c: (batch, length, d_state).
    """
    h = u.new_zeros(u.shape[0], *a.shape)
    ys = []
    for t in range(u.shape[1]):
        dt = delta[:, t, :, None]
        h = torch.exp(dt * a) * h + dt * u[:, t, :, None] * b[:, t, None, :]
        ys.append((h * c[:, t, None, :]).sum(-1))
    return torch.stack(ys, 1)


if triton is not None:

    @triton.jit
    def _forward(u, delta, a, b, c, y, states, length, D: tl.constexpr, N: tl.constexpr):
        row = tl.program_id(0).to(tl.int64) * length
        d, n = tl.arange(0, D), tl.arange(0, N)
        dn = d[:, None] * N + n[None, :]
        decay = tl.load(a + dn)
        h = tl.zeros((D, N), tl.float32)
        for t in range(length):
            at = row + t
            dt, ut = tl.load(delta + at * D + d), tl.load(u + at * D + d)
            bt, ct = tl.load(b + at * N + n), tl.load(c + at * N + n)
            h = tl.exp(dt[:, None] * decay) * h + (dt * ut)[:, None] * bt[None, :]
            tl.store(states + at * D * N + dn, h)
            tl.store(y + at * D + d, tl.sum(h * ct[None, :], 1))

    @triton.jit
    def _backward(
        u, delta, a, b, c, states, dy, du, ddelta, da, db, dc, length, D: tl.constexpr, N: tl.constexpr
    ):
        program = tl.program_id(0).to(tl.int64)
        row = program * length
        d, n = tl.arange(0, D), tl.arange(0, N)
        dn = d[:, None] * N + n[None, :]
        decay = tl.load(a + dn)
        grad = tl.zeros((D, N), tl.float32)  # of h_t
        grad_decay = tl.zeros((D, N), tl.float32)
        h = tl.load(states + (row + length - 1) * D * N + dn)
        for back in range(length):
            t = length - 1 - back
            at = row + t
            dt, ut, gy = tl.load(delta + at * D + d), tl.load(u + at * D + d), tl.load(dy + at * D + d)
            bt, ct = tl.load(b + at * N + n), tl.load(c + at * N + n)
            before = tl.load(states + (at - 1) * D * N + dn, mask=(dn >= 0) & (t > 0), other=0.0)
            grad += gy[:, None] * ct[None, :]
            tl.store(dc + at * N + n, tl.sum(gy[:, None] * h, 0))
            kept = tl.exp(dt[:, None] * decay)
            through = grad * before * kept
            grad_decay += through * dt[:, None]
            from_input = tl.sum(grad * bt[None, :], 1)
            tl.store(ddelta + at * D + d, tl.sum(through * decay, 1) + ut * from_input)
            tl.store(du + at * D + d, dt * from_input)
            tl.store(db + at * N + n, tl.sum(grad * (dt * ut)[:, None], 0))
            grad = grad * kept
            h = before
        tl.store(da + program * D * N + dn, grad_decay)

    class _Scan(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u, delta, a, b, c):
            u, delta, a, b, c = (x.contiguous() for x in (u, delta, a, b, c))
            batch, length, inner = u.shape
            states = u.new_empty(batch, length, *a.shape)
            y = torch.empty_like(u)
            _forward[(batch,)](u, delta, a, b, c, y, states, length, inner, a.shape[1], num_warps=4)
            ctx.save_for_backward(u, delta, a, b, c, states)
            return y

        @staticmethod
        def backward(ctx, dy):
            u, delta, a, b, c, states = ctx.saved_tensors
            batch, length, inner = u.shape
            du, ddelta, db, dc = (torch.empty_like(x) for x in (u, delta, b, c))
            da = a.new_empty(batch, *a.shape)
            _backward[(batch,)](
                u, delta, a, b, c, states, dy.contiguous(), du, ddelta, da, db, dc, length, inner, a.shape[1],
                num_warps=4,
            )
            return du, ddelta, da.sum(0), db, dc


def scan(u, delta, a, b, c):
    """scan_loop in one kernel where there is a GPU."""
    if triton is None or not u.is_cuda:
        return scan_loop(u, delta, a, b, c)
    return _Scan.apply(u, delta, a, b, c)


def check(device) -> float:
    """Return the largest relative difference of scan and its gradients from scan_loop's."""
    torch.manual_seed(0)
    shapes = [(3, 37, 64), (3, 37, 64), (64, 16), (3, 37, 16), (3, 37, 16)]
    inputs = [torch.randn(s, device=device) for s in shapes]
    inputs[1], inputs[2] = inputs[1].abs() * 0.3, -inputs[2].abs()
    weight = torch.randn(3, 37, 64, device=device)
    results = []
    for f in (scan_loop, scan):
        leaves = [x.clone().requires_grad_() for x in inputs]
        y = f(*leaves)
        results.append([y.detach(), *torch.autograd.grad((y * weight).sum(), leaves)])
    return max(((p - q).abs().max() / q.abs().max()).item() for q, p in zip(*results))
