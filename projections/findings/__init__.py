"""What a person should look at, and no rule forbids: references credited twice, free services, numbers, debts."""
