"""Tests of the read models: projections, their runner, the questions they answer, and their verification."""
