"""An executable reading of the rules, independent of the implementation, for model-based differential tests."""
