"""What may happen. Each function is one deed; it works inside the transaction it is handed and never commits."""
