"""Networks that read a sequence one step after the other, and remember: RNN, LSTM and GRU, and their cells."""
