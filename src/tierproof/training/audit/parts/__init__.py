"""Finds what a step trains and with what: model, optimizers, schedulers, scaler, averaged weights."""
