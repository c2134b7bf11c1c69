"""Applications: data, problem, layer and training of one chapter in one file."""
