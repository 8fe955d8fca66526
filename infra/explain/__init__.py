"""Facts explained to people: in words, with their arithmetic, their clause and the command behind them."""
