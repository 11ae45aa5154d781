"""What fits, encoders and services cost."""
