"""Training by an image of the user's (docs/training-image.md): what it is given, and what becomes of what it writes.

A pod works in three steps. `stage` writes the training table to a folder, the user's container trains, `collect` puts
what it wrote into the store. Then the distillation service takes the model: checks, measures and stores it.
"""
