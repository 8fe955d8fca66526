"""Every fact as a decision: on which clause, by which command, refused with which code, and where its bytes stand."""
