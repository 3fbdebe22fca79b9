"""transformers' filters of logits, and its beam search: writes generation.npz and generation.json.

filters: each setting's processors, in the order in which `generate` applies them, on the same logits.
beams: what `generate(num_beams=…)` finds for a model whose logits are a table, so that the token before is all that
counts.

Run it with an interpreter that has PyTorch 2.13.0 and transformers 5.24.0: python make_generation.py
"""

import itertools
import json
import sys
from pathlib import Path

import numpy as np

sys.modules["torchvision"] = None  # not needed, and it may be of another version
import torch  # noqa: E402
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel  # noqa: E402
from transformers.generation import logits_process as process  # noqa: E402
from transformers.modeling_outputs import CausalLMOutput  # noqa: E402

HERE = Path(__file__).parent
SETTINGS = [
    {},
    {"temperature": 0.7},
    {"temperature": 2.5},
    {"top_k": 1},
    {"top_k": 5},
    {"top_k": 40},
    {"top_k": 1000},
    {"top_p": 0.0},
    {"top_p": 0.3},
    {"top_p": 0.9},
    {"top_p": 0.999},
    {"min_p": 0.05},
    {"min_p": 0.5},
    {"min_p": 1.0},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.5},
    {"temperature": 0.5, "top_k": 10, "top_p": 0.8},
    {"temperature": 1.5, "top_p": 0.9, "min_p": 0.1},
    {"repetition_penalty": 1.2, "temperature": 0.8, "top_k": 20, "top_p": 0.95, "min_p": 0.02},
]


def filtered(logits, ids, setting):
    """In the order of GenerationMixin._get_logits_processor."""
    makers = {
        "repetition_penalty": process.RepetitionPenaltyLogitsProcessor,
        "temperature": process.TemperatureLogitsWarper,
        "top_k": process.TopKLogitsWarper,
        "top_p": process.TopPLogitsWarper,
        "min_p": process.MinPLogitsWarper,
    }
    for name, maker in makers.items():
        if name in setting:
            logits = maker(setting[name])(ids, logits)
    return torch.softmax(logits, -1).numpy()


class Config(PretrainedConfig):
    model_type = "table"

    def __init__(self, vocab_size=8, **rest):
        super().__init__(**rest)
        self.vocab_size = vocab_size
        self.num_hidden_layers = 0


class Table(PreTrainedModel, GenerationMixin):
    config_class = Config

    def __init__(self, config, table):
        super().__init__(config)
        self.table = torch.nn.Parameter(table)
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, input_ids, attention_mask=None, **rest):
        return CausalLMOutput(logits=self.table[input_ids])


def beams(table, setting, eos):
    """Tokens and scores of what beam search finds after the prompt [1]."""
    model = Table(Config(len(table)), torch.tensor(table))
    found = model.generate(
        torch.tensor([[1]]),
        attention_mask=torch.ones(1, 1, dtype=torch.long),
        do_sample=False,
        num_return_sequences=setting["num_beams"],
        eos_token_id=eos or None,
        pad_token_id=0,
        use_cache=False,
        return_dict_in_generate=True,
        output_scores=True,
        **setting,
    )
    rows = []
    for row in found.sequences[:, 1:].tolist():
        ends = [i for i, token in enumerate(row) if token in eos]
        rows.append(row[: ends[0] + 1] if ends else row)
    return {"tokens": rows, "scores": [round(one, 5) for one in found.sequences_scores.tolist()]}


def main():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (7, 40)).astype(np.float32)
    logits[1] = np.round(logits[1])  # ties
    logits[2] = 0.5
    logits[3, 3:] = -np.inf
    logits[4] *= 20
    ids = rng.integers(0, 40, (7, 9))
    arrays = {"logits": logits, "ids": ids}
    for number, setting in enumerate(SETTINGS):
        arrays[f"filtered_{number}"] = filtered(torch.tensor(logits), torch.tensor(ids), setting)
    tables = [rng.normal(0, 2.5, (9, 9)).astype(np.float32) for _ in range(4)]
    arrays["tables"] = np.stack(tables)
    cases = []
    for (which, table), num_beams, penalty, early, eos in itertools.product(
        enumerate(tables), (2, 3), (-1.0, 0.0, 1.0, 2.0), (False, True, "never"), ([], [2], [2, 7])
    ):
        setting = {
            "num_beams": num_beams,
            "length_penalty": penalty,
            "early_stopping": early,
            "max_new_tokens": 12,
        }
        cases.append({"table": which, "eos": eos, "setting": setting, **beams(table, setting, eos)})
    np.savez_compressed(HERE / "generation.npz", **arrays)
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / "generation.json").write_text(f'{{"settings": {json.dumps(SETTINGS)},\n"beams": [\n{text}\n]}}\n')
    print(len(SETTINGS), "filters,", len(cases), "beam searches")


if __name__ == "__main__":
    main()
