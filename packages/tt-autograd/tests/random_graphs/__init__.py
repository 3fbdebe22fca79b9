"""Random expression graphs, for test_random_graphs.py and goldens/make_graphs.py.

program.py     a program: JSON, Python source, a function to call
on_tt.py       the words of its source in tt_tensor
on_pytorch.py  the same words in PyTorch
builder.py     a program that grows, running as it grows
drawing.py, viewing.py, writing.py, keys.py    one random step: operations, views, writes in place, indices
generator.py   one random program
"""
