"""A small network's weights as PyTorch saves them, and what it computes: writes network.safetensors.

Run it with an interpreter that has PyTorch 2.13.0 and safetensors: python make_network.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent

if __name__ == "__main__":
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(12, 16),
        torch.nn.GELU(),
        torch.nn.LayerNorm(16),
        torch.nn.Sequential(torch.nn.Linear(16, 8), torch.nn.SiLU(), torch.nn.Dropout(0.5)),
        torch.nn.RMSNorm(8),
        torch.nn.Linear(8, 3, bias=False),
    ).eval()
    x = torch.randn(5, 3, 4)
    with torch.no_grad():
        y = model(x)
    # The example goes along under names that are no parameters'.
    save_file({**model.state_dict(), "example.x": x, "example.y": y}, HERE / "network.safetensors")
