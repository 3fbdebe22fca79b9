"""What can be done with Tensors: one file for each family, each Function's rule beside its formula."""
