"""Real processes on real servers, hurt under load, and a full check of what they leave."""
