"""The parts of any tokenizer.json, one after the other: what a tokenizer does to text, and to tokens, step by step."""
