"""What holds of every history under any regulations. HYPOTHESIS_PROFILE says how long to look: `ci` or `soak`."""
