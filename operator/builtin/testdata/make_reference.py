"""Writes hf-core.safetensors: what Hugging Face's MambaModel makes of telemetry-s.

    pip install torch==2.15.0 transformers==5.23.0 safetensors
    python3 operator/builtin/testdata/make_reference.py

It loads the model's folder as a plain Mamba, feeds it the event inputs through
weir.input, and reads the event outputs through weir.head. Run it again when the model
was trained again.
"""

import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import MambaModel

here = pathlib.Path(__file__).parent
folder = here.parent / "telemetry-s"
core = MambaModel.from_pretrained(folder)
ends = load_file(folder / "model.safetensors")
torch.manual_seed(1)
x = torch.randn(1, 200, ends["weir.input.weight"].shape[1])
with torch.no_grad():
    hidden = core(inputs_embeds=x @ ends["weir.input.weight"].T + ends["weir.input.bias"]).last_hidden_state
    out = hidden @ ends["weir.head.weight"].T + ends["weir.head.bias"]
save_file({"x": x[0].contiguous(), "out": out[0].contiguous()}, here / "hf-core.safetensors")
