"""Names of encoders, and the models behind them."""
