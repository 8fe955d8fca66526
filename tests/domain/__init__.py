"""The rules, each told as a story: given a history, when a command comes, then these facts and no others."""
