"""The double-entry journal, and the totals of each account: the trial balance."""
