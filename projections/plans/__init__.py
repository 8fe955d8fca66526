"""The agreement with each subscriber as it stands, and each change of plan."""
