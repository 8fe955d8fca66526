"""What tests share: servers, and nothing that a test could not say itself."""
