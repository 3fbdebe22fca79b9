"""The training loop: a Trainer, its checkpoints, metrics and callbacks."""
