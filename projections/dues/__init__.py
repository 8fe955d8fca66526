"""What waits for its money: orders, renewals of suspended rentals, invoices."""
