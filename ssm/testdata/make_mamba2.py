"""Writes the reference numbers of mamba2/: what transformers computes for small random models.

    python make_mamba2.py mamba2

needs torch and transformers; mamba2/README.md says which versions wrote what is there.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import Mamba2Config, Mamba2ForCausalLM

CASES = {
    # One group, one head a block of 16 channels, tied head; several chunks.
    "mamba2-small": (
        dict(hidden_size=32, expand=2, num_heads=4, head_dim=16, n_groups=1, state_size=16, conv_kernel=4,
             num_hidden_layers=2, vocab_size=61, chunk_size=16, tie_word_embeddings=True),
        (2, 48),
    ),
    # Heads of 10 channels in two groups, three taps, biases turned round, untied head.
    "mamba2-odd": (
        dict(hidden_size=20, expand=3, num_heads=6, head_dim=10, n_groups=2, state_size=7, conv_kernel=3,
             num_hidden_layers=3, vocab_size=37, chunk_size=8, use_bias=True, use_conv_bias=False,
             layer_norm_epsilon=1e-6, tie_word_embeddings=False),
        (3, 37),
    ),
    # A clamped time step, which transformers honours in its chunked form only.
    "mamba2-limit": (
        dict(hidden_size=32, expand=2, num_heads=2, head_dim=32, n_groups=1, state_size=24, conv_kernel=4,
             num_hidden_layers=2, vocab_size=41, chunk_size=64, time_step_limit=(0.02, 0.1)),
        (1, 330),
    ),
}


def randomize(model, generator):
    """Moves every parameter away from its initial value; memories reach over tens of events."""
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if name.endswith("dt_bias"):
            p.data = -3 + noise
        elif name.endswith("A_log"):
            p.data = noise
        elif name.endswith(("norm.weight", "norm_f.weight", ".D")):
            p.data = 1 + 0.3 * noise
        elif p.dim() == 1:
            p.data = 0.2 * noise
        else:
            p.data = noise / p[0].numel() ** 0.5


def states(cache, layers):
    """The last d_conv inputs of each convolution, oldest first, and each ssm state."""
    found = {}
    for i in range(layers):
        found[f"conv_state.{i}"] = cache.get_conv_state(i, state_idx=0).clone().contiguous()
        found[f"ssm_state.{i}"] = cache.get_recurrent_state(i, state_idx=0).clone().contiguous()
    return found


@torch.no_grad()
def write(folder, settings, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    config = Mamba2Config(**settings)
    model = Mamba2ForCausalLM(config).eval()
    randomize(model, generator)
    ids = torch.randint(config.vocab_size, shape, generator=generator)

    whole = model(ids, use_cache=True)
    reference = {"input_ids": ids, "logits": whole.logits.contiguous()}
    reference |= states(whole.cache_params, config.num_hidden_layers)
    if "time_step_limit" not in settings:
        cache, steps = None, []
        for t in range(shape[1]):
            out = model(ids[:, t : t + 1], cache_params=cache, use_cache=True)
            cache = out.cache_params
            steps.append(out.logits)
        reference["step_logits"] = torch.cat(steps, dim=1).contiguous()
        print(f"{folder.name}: whole and stepped differ by {(reference['step_logits'] - whole.logits).abs().max():.1e}")
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    save_file(reference, folder / "reference.safetensors")


for seed, (name, (settings, shape)) in enumerate(CASES.items()):
    write(pathlib.Path(sys.argv[1]) / name, settings, shape, seed)
